/** The editor of captions. */

import "#captions/editor";
import "#player/video-player";
