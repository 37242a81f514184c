/** ``<video-player data-player>``: the player of a video, complete or while it is encoded. */

import { call } from "#lib/api";
import { define } from "#lib/element";
import { Engine } from "#player/engine";
import { movedPosition, recordPosition, positionOf } from "#player/memory";
import { PlayerShell } from "#player/shell";
import { startInAddress } from "#player/timeline";
import { VideoClock } from "#player/video-clock";

const RECORD_EVERY_S = 5;

/** @extends {PlayerShell<Engine, VideoClock>} */
export class VideoPlayer extends PlayerShell {
  /** The first report begins the server's clock of the session. */
  static beats = { first_s: 1 };

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

  onTime() {
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
