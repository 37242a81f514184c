/**
 * ``<live-player data-player>``: the player for a broadcast. Its time is the
 * broadcast's: zero is when it began, ``duration`` is now.
 */

import { call } from "#lib/api";
import { define, part } from "#lib/element";
import { recall, remember } from "#lib/store";
import { Danmaku } from "#player/danmaku";
import { Heartbeat } from "#player/heartbeat";
import { LiveEngine } from "#player/live-engine";
import { delayFigure } from "#player/live-timeline";
import { noteTaste, taste } from "#player/memory";
import { clock } from "#player/timeline";
import { VideoPlayer } from "#player/video-player";

const EVERY_S = 15;
const FIRST_S = 3; // someone who watches is counted soon
const SHOW_EVERY_MS = 500;

export class LivePlayer extends VideoPlayer {
  connectedCallback() {
    if (this.video) return;
    this.danmaku = new Danmaku(part(this, "flying"));
    super.connectedCallback();
    this.switchDanmaku(recall("danmaku", !matchMedia("(prefers-reduced-motion: reduce)").matches), false);
  }

  disconnectedCallback() {
    clearInterval(this.figures);
    this.danmaku.close();
    this.leaving?.abort();
    this.engine?.end();
  }

  // --- A media element to the outside -------------------------------------------------

  get startedAt() {
    return Date.parse(this.dataset.started);
  }

  get currentTime() {
    const date = this.engine?.date;
    return date && this.startedAt ? Math.max(0, (date - this.startedAt) / 1000) : this.video.currentTime;
  }

  set currentTime(seconds) {
    this.seekTo(seconds);
  }

  get duration() {
    const length = this.engine ? (this.engine.edgeDate - this.startedAt) / 1000 : 0;
    return Number.isFinite(length) ? Math.max(length, this.currentTime) : this.currentTime;
  }

  get available() {
    return this.duration;
  }

  get bufferedUntil() {
    return this.currentTime + (this.engine?.buffered ?? 0);
  }

  get isLive() {
    // Before the first picture nothing is late.
    return !this.engine.isRecorded && (!this.engine.date || (!this.paused && !this.engine.isBehind));
  }

  play() {
    if (this.video.paused && this.video.readyState > 1) this.engine.goOn();
    return this.video.play();
  }

  // --- Beginning ------------------------------------------------------------------------

  applyTaste() {
    const { volume, muted } = taste();
    const isMuted = muted || "muted" in this.dataset;
    Object.assign(this.video, { volume, muted: isMuted, defaultPlaybackRate: 1, playbackRate: 1, controls: false });
    this.controls.showVolume();
  }

  makeHeartbeat() {
    return new Heartbeat({ send: (report) => this.report(report), every_s: EVERY_S, first_s: FIRST_S });
  }

  start() {
    this.classList.toggle("has-recording", this.dataset.dvr !== "");
    this.engine = new LiveEngine(this.video, {
      ...this.engineOptions(),
      dvr: this.dataset.dvr,
      startedAt: this.startedAt,
      isLowLatency: this.dataset.latency !== "normal",
      onLost: () => this.dispatchEvent(new CustomEvent("player-lost", { bubbles: true })),
    });
    this.engine.load(-1);
    this.describeToSystem();
    this.figures = setInterval(() => this.showPlace(), SHOW_EVERY_MS);
    this.playByItself();
  }

  listen() {
    super.listen();
    const { signal } = this.leaving;
    document.addEventListener("chat-message", ({ detail }) => this.danmaku.show(detail), { signal });
    document.addEventListener("chat-removed", ({ detail }) => this.danmaku.remove(detail), { signal });
    this.video.addEventListener("pause", () => this.engine.hold(), { signal });
  }

  /**
   * The broadcast lost its signal, or has it again.
   * @param {boolean} isInterrupted
   */
  interrupt(isInterrupted) {
    if (isInterrupted) this.engine.interrupt();
    else this.engine.resume();
  }

  // --- What happens -----------------------------------------------------------------------

  notePlace() {}

  onWaiting() {
    clearTimeout(this.waitingTimer);
    this.controls.showWaiting(true, "");
  }

  onLeave() {
    if (this.engine.hls?.bandwidthEstimate) noteTaste({ bandwidth: Math.round(this.engine.hls.bandwidthEstimate) });
  }

  /** @param {string} word */
  onTrouble(word) {
    if (word === "waiting" || word === "offline") this.controls.showWaiting(true, word === "offline" ? this.words(word) : "");
    else super.onTrouble(word);
  }

  async report({ session }) {
    if ("preview" in this.dataset) return null; // a streamer who looks at the desk is no viewer
    const answer = await call("POST", `live/${this.dataset.username}/heartbeat/`, session ? { session } : {});
    document.dispatchEvent(new CustomEvent("viewer-count", { detail: { count: answer.viewer_count } }));
    return answer;
  }

  showPlace() {
    this.controls.showTime();
    const { engine } = this;
    const button = part(this, "live");
    const isLive = this.isLive;
    this.classList.toggle("is-live", isLive);
    button.setAttribute("aria-label", this.words(isLive ? "live" : "go-live"));
    part(this, "live-word").textContent = this.words(isLive ? "live-badge" : "go-live");
    const behind = isLive ? 0 : this.duration - this.currentTime;
    part(this, "behind").textContent = behind >= 1 ? `−${clock(behind)}` : "";
    const figure = isLive ? delayFigure(engine.latency) : "";
    part(this, "delay").textContent = figure && this.words("delay", { seconds: figure });
  }

  // --- What people ask for ---------------------------------------------------------------------

  run(command) {
    if (command.do === "live") this.goLive();
    else if (command.do === "danmaku") this.switchDanmaku(!this.danmaku.isOn);
    else if (command.do === "seek" && command.value === 1) this.goLive();
    else super.run(command);
  }

  goLive() {
    this.engine.goLive();
    this.controls.flash(this.words("live"));
  }

  /** @param {number} seconds */
  seekTo(seconds) {
    if (!this.startedAt || !this.engine.date) return;
    const wanted = Math.max(0, seconds);
    if (wanted >= this.duration - 2) this.engine.goLive();
    else this.engine.seekToDate(this.startedAt + wanted * 1000);
    this.controls.showTime();
  }

  retry() {
    this.controls.showError("");
    this.engine.goLive();
    this.engine.resume();
  }

  /**
   * @param {boolean} isOn
   * @param {boolean} [isChosen] by the person, now
   */
  switchDanmaku(isOn, isChosen = true) {
    this.danmaku.switchTo(isOn);
    const button = part(this, "danmaku");
    button.setAttribute("aria-pressed", String(isOn));
    if (!isChosen) return;
    remember("danmaku", isOn);
    this.controls.flash(this.words(isOn ? "danmaku-on" : "danmaku-off"));
  }

  /** Speed means something only where everything has happened already. */
  pace() {
    return this.engine.isRecorded ? super.pace() : [];
  }
}

define("live-player", LivePlayer);
