/** The player alone, on someone else's page. */

import "#player/end-screen";
import "#player/video-player";
