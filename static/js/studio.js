/** The studio. */

import "#studio/encode-progress";
import "#studio/delete";
