/** The live page. */

import "#chat/chat-room";
import "#live/figures";
import "#live/side";
import "#live/stage";
import "#player/live-player";
import "#ui/copy";
