/** The live player alone, on someone else's page. */

import "#live/stage";
import "#player/live-player";
