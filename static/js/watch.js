/** The watch page. */

import "#clips/editor";
import "#library/play-queue";
import "#library/save";
import "#player/chapter-list";
import "#player/end-screen";
import "#player/video-player";
import "#studio/encode-progress";
import "#studio/playable-soon";
import "#transcript/panel";
import "#ui/copy";
import "#ui/count-down";
import "#ui/fold";
import "#ui/like";
import "#ui/premiere-bar";
import "#ui/share";
import "#ui/theatre";
