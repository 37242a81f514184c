/** The player alone, on someone else's page. */

import "#player/video-player";
