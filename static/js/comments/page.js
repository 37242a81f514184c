/** What is said about a video: the comments, and what flies over it. */

import "#comments/changes";
import "#comments/composer";
import "#comments/seek-links";
import "#comments/taken";
import "#comments/thread";
import "#comments/video-danmaku";
import "#ui/fold";
