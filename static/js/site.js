/** The scripts of every page. */

import "#ui/bell";
import "#ui/dialogs";
import "#ui/header";
import "#ui/report";
import "#ui/theme";
import "#ui/tiles";
import "#ui/times";
