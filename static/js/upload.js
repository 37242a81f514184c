/** The upload page. */

import "#upload/desk";
