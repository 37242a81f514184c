/** The scripts of home, beside those of every page. */

import "#ui/shelves";
