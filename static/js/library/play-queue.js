/** ``<play-queue>``: the list of the playlist that plays, scrolled to its video. The end screen goes on with the next one. */

import { define } from "#lib/element";

class PlayQueue extends HTMLElement {
  connectedCallback() {
    this.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest" });
  }
}

define("play-queue", PlayQueue);
