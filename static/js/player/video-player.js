/** ``<video-player data-player>``: the player of a video, complete or while it is encoded. */

import { call } from "#lib/api";
import { define } from "#lib/element";
import { Engine } from "#player/engine";
import { movedPosition, recordPosition, positionOf } from "#player/memory";
import { SectionLoop } from "#player/section-loop";
import { PlayerShell } from "#player/shell";
import { clock as clockText, startInAddress } from "#player/timeline";
import { VideoClock } from "#player/video-clock";

const RECORD_EVERY_S = 5;

/** @extends {PlayerShell<Engine, VideoClock>} */
export class VideoPlayer extends PlayerShell {
  /** The first report begins the server's clock of the session. */
  static beats = { first_s: 1 };

  section = new SectionLoop();

  makeEngine() {
    const engine = new Engine(this.video, this.engineOptions());
    engine.isGrowing = "encoding" in this.dataset;
    return engine;
  }

  makeClock() {
    return new VideoClock({
      video: this.video,
      engine: this.engine,
      probed_s: Number.parseFloat(this.dataset.duration) || 0,
      onChange: () => this.onClockChange(),
      onPlay: () => this.playByItself(),
    });
  }

  begin() {
    const position = startInAddress(location.search) ?? (Number(this.dataset.resume) || this.lastPosition);
    this.engine.load(this.engine.isGrowing ? 0 : position);
    if (this.engine.isGrowing && position) this.clock.waitFor(position);
    if ("autoplay" in this.dataset) this.playByItself();
  }

  /** The name under which positions are kept: those of a trimmed video count on a time line of their own. */
  get place() {
    const { video, trim } = this.dataset;
    return trim ? `${video}@${trim}` : video;
  }

  get lastPosition() {
    const own = positionOf(this.place);
    const { kept, video } = this.dataset;
    return own || !kept ? own : movedPosition(positionOf(video), JSON.parse(kept));
  }

  onEngineChange() {
    super.onEngineChange();
    // A wait turns out to be one for the encoder.
    const isWaiting = this.classList.contains("is-waiting") && this.clock.awaited === null;
    if (isWaiting && this.engine.isHeld) this.controls.showWaiting(true, this.words("held"));
  }

  listen() {
    super.listen();
    const { signal } = this.leaving;
    this.video.addEventListener("seeking", () => this.section.seek(this.currentTime), { signal });
    this.video.addEventListener("ended", () => this.onEnded(), { signal });
  }

  commands() {
    return { ...super.commands(), loop: () => this.toggleLoop(), section: () => this.markSection() };
  }

  toggleLoop() {
    this.video.loop = !this.video.loop;
    this.controls.flash(this.words(this.video.loop ? "loop-on" : "loop-off"));
  }

  markSection() {
    this.section.mark(this.currentTime);
    this.controls.seekBar.showSection(this.section);
    const state = this.section.isComplete ? "section-on" : this.section.start_s === null ? "section-off" : "section-from";
    this.controls.flash(this.words(state, { section: this.sectionText }));
  }

  /** The bounds of the section as text; empty without one. */
  get sectionText() {
    const { start_s, end_s } = this.section;
    if (start_s === null) return "";
    return `${clockText(start_s)}–${end_s === null ? "" : clockText(end_s)}`;
  }

  /** Go back to A if B was reached. */
  repeatSection() {
    const start_s = this.section.advance(this.currentTime);
    if (start_s !== null) this.seekTo(start_s);
  }

  /** Go on from A if B is the end of the video, where playback stops by itself. */
  onEnded() {
    this.repeatSection();
    if (this.section.isComplete && !this.ended) this.play().catch(() => {});
  }

  onTime() {
    if (!this.video.seeking) this.repeatSection();
    super.onTime();
    if (this.paused || this.video.seeking) return;
    if (Math.abs(this.currentTime - (this.recordedAt ?? 0)) >= RECORD_EVERY_S) this.recordPlace();
  }

  recordPlace() {
    this.recordedAt = this.currentTime;
    recordPosition(this.place, this.currentTime, this.duration);
  }

  onLeave() {
    this.recordPlace();
    this.heartbeat.finish(this.currentTime);
    super.onLeave();
  }

  /**
   * @param {{position_s: number, session?: string}} report
   * @param {boolean} isLast
   */
  report(report, isLast) {
    const { token } = this.dataset; // of a frame on another site
    const query = token ? `?token=${encodeURIComponent(token)}` : "";
    return call("POST", `videos/${this.dataset.video}/views/${query}`, report, { keepalive: isLast });
  }
}

define("video-player", VideoPlayer);
