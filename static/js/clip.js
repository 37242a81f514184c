/** The page of a clip. */

import "#player/clip-player";
import "#ui/copy";
