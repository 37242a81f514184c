/** The studio one goes live from. */

import "#chat/chat-room";
import "#live/autosave";
import "#live/confirm";
import "#live/figures";
import "#live/health";
import "#live/stage";
import "#live/stream-key";
import "#player/live-player";
import "#ui/copy";
