/** The studio. */

import "#studio/encode-progress";
import "#studio/delete";
import "#studio/transcription";
import "#ui/copy";
import "#ui/count-down";
import "#ui/local-moment";
