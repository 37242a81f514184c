/** The clock of a broadcast: zero is its start, and ``duration`` is now. */

const NEAR_EDGE_S = 2;

export class LiveClock {
  /**
   * @param {{video: HTMLVideoElement, engine: import("#player/live-engine").LiveEngine, startedAt: number, onChange: () => void}} options
   *   ``startedAt`` is the start of the broadcast in ms since 1970; ``onChange`` follows a seek
   */
  constructor({ video, engine, startedAt, onChange }) {
    this.video = video;
    this.engine = engine;
    this.startedAt = startedAt;
    this.onChange = onChange;
  }

  /** The speed of playback is free only in the recording. */
  get hasSpeeds() {
    return this.engine.isRecorded;
  }

  get time() {
    const { date } = this.engine;
    return date && this.startedAt ? Math.max(0, (date - this.startedAt) / 1000) : this.video.currentTime;
  }

  get shownTime() {
    return this.time;
  }

  /**
   * No position of a broadcast is waited for.
   * @returns {?number}
   */
  get awaited() {
    return null;
  }

  get isPaused() {
    return this.video.paused;
  }

  get duration() {
    const length = (this.engine.edgeDate - this.startedAt) / 1000;
    return Number.isFinite(length) ? Math.max(length, this.time) : this.time;
  }

  get available() {
    return this.duration;
  }

  get bufferedUntil() {
    return this.time + this.engine.buffered;
  }

  get isAtEncodedEdge() {
    return false;
  }

  get isKnown() {
    return true;
  }

  /** True at the live edge; before the first frame nothing is late. */
  get isLive() {
    const { engine, video } = this;
    if (engine.isRecorded || engine.isInterrupted) return false;
    return !engine.date || video.readyState < HTMLMediaElement.HAVE_CURRENT_DATA || (!video.paused && !engine.isBehind);
  }

  async play() {
    if (this.video.paused && this.video.readyState >= HTMLMediaElement.HAVE_CURRENT_DATA) this.engine.goOn();
    return this.video.play();
  }

  pause() {
    this.video.pause();
  }

  hold() {}

  arrive() {}

  /** @param {number} seconds since the start of the broadcast */
  seekTo(seconds) {
    if (!this.startedAt || !this.engine.date) return;
    const wanted = Math.max(0, seconds);
    if (wanted >= this.duration - NEAR_EDGE_S) this.engine.goLive();
    else this.engine.seekToDate(this.startedAt + wanted * 1000);
    this.onChange();
  }
}
