/** ``<live-player data-player>``: the player of a broadcast, with its delay, *Go live* and danmaku. */

import { call } from "#lib/api";
import { define, part } from "#lib/element";
import { recall, remember } from "#lib/store";
import { Danmaku } from "#player/danmaku";
import { flies } from "#player/flies";
import { LiveClock } from "#player/live-clock";
import { LiveEngine } from "#player/live-engine";
import { delayFigure } from "#player/live-timeline";
import { PlayerShell } from "#player/shell";
import { clock as clockText } from "#player/timeline";

const SHOW_EVERY_MS = 500;

/** @extends {PlayerShell<LiveEngine, LiveClock>} */
export class LivePlayer extends PlayerShell {
  // The first report comes early, so that a viewer is counted soon.
  static beats = { every_s: 15, first_s: 3 };

  disconnectedCallback() {
    super.disconnectedCallback();
    clearInterval(this.figures);
    this.danmaku?.close();
  }

  makeEngine() {
    return new LiveEngine(this.video, {
      ...this.engineOptions(),
      dvr: this.dataset.dvr,
      startedAt: this.startedAt,
      isLowLatency: this.dataset.latency !== "normal",
      onLost: () => this.dispatchEvent(new CustomEvent("player-lost", { bubbles: true })),
    });
  }

  makeClock() {
    return new LiveClock({
      video: this.video,
      engine: this.engine,
      startedAt: this.startedAt,
      onChange: () => this.onClockChange(),
    });
  }

  begin() {
    this.classList.toggle("has-recording", this.dataset.dvr !== "");
    this.danmaku = new Danmaku(part(this, "flying"));
    this.switchDanmaku(recall("danmaku", !matchMedia("(prefers-reduced-motion: reduce)").matches), false);
    this.engine.load(-1);
    this.figures = setInterval(() => this.showPlace(), SHOW_EVERY_MS);
    this.playByItself();
  }

  listen() {
    super.listen();
    const { signal } = this.leaving;
    document.addEventListener("chat-message", ({ detail }) => flies(detail.text) && this.danmaku.show(detail), { signal });
    document.addEventListener("chat-removed", ({ detail }) => this.danmaku.remove(detail), { signal });
    this.video.addEventListener("pause", () => this.engine.hold(), { signal });
  }

  get startedAt() {
    return Date.parse(this.dataset.started);
  }

  get isLive() {
    return this.clock.isLive;
  }

  /**
   * Follow the signal of the broadcast: it is lost, or there again.
   * @param {boolean} isInterrupted
   */
  interrupt(isInterrupted) {
    if (isInterrupted) this.engine.interrupt();
    else this.engine.resume();
  }

  /** @param {{session?: string}} report */
  async report({ session }) {
    if ("preview" in this.dataset) return null; // a streamer in the studio is no viewer
    const answer = await call("POST", `live/${this.dataset.username}/heartbeat/`, session ? { session } : {});
    document.dispatchEvent(new CustomEvent("viewer-count", { detail: { count: answer.viewer_count } }));
    return answer;
  }

  showPlace() {
    this.controls.showTime();
    const button = part(this, "live");
    const isLive = this.isLive;
    this.classList.toggle("is-live", isLive);
    button.setAttribute("aria-label", this.words(isLive ? "live" : "go-live"));
    part(this, "live-word").textContent = this.words(isLive ? "live-badge" : "go-live");
    const behind = isLive ? 0 : this.duration - this.currentTime;
    part(this, "behind").textContent = behind >= 1 ? `−${clockText(behind)}` : "";
    const figure = isLive ? delayFigure(this.engine.latency) : "";
    part(this, "delay").textContent = figure && this.words("delay", { seconds: figure });
  }

  commands() {
    const shared = super.commands();
    return {
      ...shared,
      live: () => this.goLive(),
      danmaku: () => this.switchDanmaku(!this.danmaku.isOn),
      seek: (/** @type {number} */ share) => (share === 1 ? this.goLive() : shared.seek(share)),
    };
  }

  goLive() {
    this.engine.goLive();
    this.controls.flash(this.words("live"));
  }

  /**
   * @param {boolean} isOn
   * @param {boolean} [isChosen] by the person, now
   */
  switchDanmaku(isOn, isChosen = true) {
    this.danmaku.switchTo(isOn);
    part(this, "danmaku").setAttribute("aria-pressed", String(isOn));
    if (!isChosen) return;
    remember("danmaku", isOn);
    this.controls.flash(this.words(isOn ? "danmaku-on" : "danmaku-off"));
  }
}

define("live-player", LivePlayer);
