/** The page on which one signs up. */

import "#ui/sign-up-proof";
