/**
 * ``<count-down data-left="90">``: the time until a moment. With ``data-video`` it asks for the
 * video after that and shows it as soon as its media are open.
 */

import { call } from "#lib/api";
import { backoff } from "#lib/backoff";
import { define, part } from "#lib/element";
import { leftText } from "#ui/moments";

const FIRST_MS = 2000;
const LONGEST_MS = 15_000; // the encode is late

class CountDown extends HTMLElement {
  endsAt = 0; // as Date.now()

  connectedCallback() {
    this.endsAt ||= Date.now() + Number(this.dataset.left) * 1000;
    this.timer = setInterval(() => this.tick(), 1000);
    this.tick();
  }

  disconnectedCallback() {
    clearInterval(this.timer);
    clearTimeout(this.asking);
  }

  tick() {
    const left_ms = this.endsAt - Date.now();
    part(this, "left").textContent = leftText(left_ms, this.dataset.days);
    if (left_ms > 0) return;
    clearInterval(this.timer);
    if (part(this, "soon")) part(this, "soon").hidden = false;
    if (this.dataset.video) this.askSoon(0);
  }

  /**
   * The pauses differ at random, so that the viewers of a premiere do not ask at once.
   * @param {number} attempt
   */
  askSoon(attempt) {
    const wait_ms = backoff(attempt, { first: FIRST_MS, most: LONGEST_MS });
    this.asking = setTimeout(() => this.ask(attempt), wait_ms);
  }

  /** @param {number} attempt */
  async ask(attempt) {
    try {
      const video = await call("GET", `videos/${this.dataset.video}/`);
      if (!video.publish_at || Date.parse(video.publish_at) > Date.now() + 60_000) return location.reload();
    } catch (error) {
      if (error.status === 404) return location.reload();
    }
    this.askSoon(attempt + 1);
  }
}

define("count-down", CountDown);
