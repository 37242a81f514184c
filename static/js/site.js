/** What every page does. */

import "#ui/bell";
import "#ui/dialogs";
import "#ui/header";
import "#ui/report";
import "#ui/theme";
