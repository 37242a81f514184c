/** The studio. */

import "#studio/encode-progress";
import "#studio/delete";
import "#studio/replace-file";
import "#studio/job-details";
import "#studio/transcription";
import "#ui/copy";
import "#ui/count-down";
import "#ui/local-moment";
import { disableHidden } from "#ui/only-for";

document.addEventListener("change", () => disableHidden(document));
// After the browser has restored what was chosen before.
addEventListener("pageshow", () => disableHidden(document));
