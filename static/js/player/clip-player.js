/** ``<clip-player data-player>``: the player of a clip, from its in point to its out point. */

import { call } from "#lib/api";
import { define } from "#lib/element";
import { ClipClock } from "#player/clip-clock";
import { Engine } from "#player/engine";
import { PlayerShell } from "#player/shell";

/** @extends {PlayerShell<Engine, ClipClock>} */
export class ClipPlayer extends PlayerShell {
  static beats = { first_s: 1 };

  connectedCallback() {
    super.connectedCallback();
    // Its stills are those of the whole video.
    this.storyboard.begins_s = Number.parseFloat(this.dataset.start);
  }

  disconnectedCallback() {
    this.clock?.close();
    super.disconnectedCallback();
  }

  get ended() {
    return this.clock.isEnded;
  }

  makeEngine() {
    return new Engine(this.video, this.engineOptions());
  }

  makeClock() {
    return new ClipClock({
      video: this.video,
      engine: this.engine,
      in_s: Number.parseFloat(this.dataset.in),
      out_s: Number.parseFloat(this.dataset.out),
      onChange: () => this.onClockChange(),
      onPlay: () => this.playByItself(),
      onEnd: () => this.onEnd(),
    });
  }

  begin() {
    // Else the first frame of the segment would flash before the in point is reached.
    this.video.currentTime = this.clock.in_s;
    this.engine.load(this.clock.in_s);
    if ("autoplay" in this.dataset) this.playByItself();
  }

  listen() {
    super.listen();
    const { signal } = this.leaving;
    this.video.addEventListener("playing", () => this.clock.watch(), { signal });
    this.video.addEventListener("ended", () => this.clock.stop(), { signal });
  }

  onTime() {
    this.clock.watch();
    super.onTime();
  }

  onEnd() {
    this.heartbeat.finish(this.duration);
    this.controls.showTime();
    this.controls.showPlaying();
  }

  onLeave() {
    this.heartbeat.finish(this.currentTime);
    super.onLeave();
  }

  /**
   * @param {{position_s: number, session?: string}} report
   * @param {boolean} isLast
   */
  report(report, isLast) {
    return call("POST", `clips/${this.dataset.clip}/views/`, report, { keepalive: isLast });
  }
}

define("clip-player", ClipPlayer);
