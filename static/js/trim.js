/** The page on which a video is trimmed. */

import "#player/video-player";
import "#studio/encode-progress";
import "#studio/job-details";
import "#trim/editor";
