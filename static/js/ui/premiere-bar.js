/**
 * ``<premiere-bar data-position="12.5" data-duration="300">``: while a premiere runs, everyone joins at
 * the position of the clock; one may go back, but not ahead.
 */

import { define, part } from "#lib/element";
import { PremiereClock } from "#ui/moments";

const BEHIND_S = 8;
const SLACK_S = 1;

class PremiereBar extends HTMLElement {
  async connectedCallback() {
    if (this.clock) return;
    this.clock = new PremiereClock(Number(this.dataset.position));
    await customElements.whenDefined("video-player");
    this.player = /** @type {any} */ (document.querySelector("video-player"));
    this.video = this.player?.querySelector("video");
    if (!this.video) return;
    this.leaving = new AbortController();
    const { signal } = this.leaving;
    this.video.addEventListener("loadedmetadata", () => this.join(), { once: true, signal });
    if (this.video.readyState) this.join();
    for (const name of ["timeupdate", "seeking"]) this.video.addEventListener(name, () => this.hold(), { signal });
    part(this, "join").addEventListener("click", () => this.join(), { signal });
    this.timer = setInterval(() => this.show(), 1000);
    this.show();
  }

  disconnectedCallback() {
    this.leaving?.abort();
    clearInterval(this.timer);
  }

  get isOver() {
    return this.clock.position_s >= Number(this.dataset.duration);
  }

  join() {
    if (this.isOver) return;
    this.player.currentTime = this.clock.position_s;
    this.player.play()?.catch?.(() => {});
  }

  hold() {
    if (this.isOver) return;
    const allowed = this.clock.allowed(this.video.currentTime);
    if (this.video.currentTime - allowed > SLACK_S) this.video.currentTime = allowed;
  }

  show() {
    if (this.isOver) {
      clearInterval(this.timer);
      this.leaving.abort();
      this.remove();
      return;
    }
    part(this, "join").hidden = this.clock.position_s - this.video.currentTime < BEHIND_S;
  }
}

define("premiere-bar", PremiereBar);
