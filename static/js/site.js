/** What every page does. */

import "#ui/dialogs";
import "#ui/header";
import "#ui/theme";
