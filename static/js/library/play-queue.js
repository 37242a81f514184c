/** ``<play-queue>``: goes on with the next video of a playlist when this one ends. */

import { define } from "#lib/element";

class PlayQueue extends HTMLElement {
  connectedCallback() {
    this.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest" });
    const video = document.querySelector("[data-player] video");
    if (!this.dataset.next || !video) return;
    video.addEventListener("ended", () => location.assign(this.dataset.next));
  }
}

define("play-queue", PlayQueue);
