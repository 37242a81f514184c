/** The player of a clip alone, on someone else's page. */

import "#player/clip-player";
