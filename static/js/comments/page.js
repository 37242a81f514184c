/** The conversation about a video: comments and danmaku. */

import "#comments/changes";
import "#comments/composer";
import "#comments/new-comments";
import "#comments/seek-links";
import "#comments/removed";
import "#comments/thread";
import "#comments/video-danmaku";
import "#ui/fold";
