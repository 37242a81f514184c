/** Someone waits for a video of someone else: ask now and then, and show it as soon as it plays. */

import { call } from "#lib/api";
import { backoff } from "#lib/backoff";
import { define } from "#lib/element";

class PlayableSoon extends HTMLElement {
  connectedCallback() {
    this.ask(0);
  }

  disconnectedCallback() {
    clearTimeout(this.timer);
  }

  /** @param {number} attempt */
  async ask(attempt) {
    try {
      const video = await call("GET", `videos/${this.dataset.video}/`);
      if (video.is_playable || video.status === "failed") return location.reload();
    } catch (error) {
      if (error.status === 404) return location.reload();
    }
    const wait = backoff(attempt, { first: 2000, most: 20_000 });
    this.timer = setTimeout(() => this.ask(attempt + 1), wait);
  }
}

define("playable-soon", PlayableSoon);
