/**
 * The clock of a clip: 0 is the in point. The segments of a clip begin before the in point and end
 * behind the out point, so the clock keeps the playhead between the two, and stops at the second.
 */

import { bufferedEnd } from "#player/timeline";
import { VideoClock } from "#player/video-clock";

/** Between two timeupdates of a playing video pass 250 ms: for the last stretch there is a timer. */
const LAST_STRETCH_S = 0.6;
/** A seek ends on the frame before its target. */
const FRAME_S = 0.05;

export class ClipClock extends VideoClock {
  /**
   * @param {{video: HTMLVideoElement, engine: {isGrowing: boolean}, in_s: number, out_s: number, onChange: () => void, onPlay: () => void, onEnd: () => void}} options
   *   ``in_s`` and ``out_s`` count from the beginning of the playlists; ``onEnd`` follows the stop
   */
  constructor({ in_s, out_s, onEnd, ...options }) {
    super({ ...options, probed_s: out_s - in_s });
    this.in_s = in_s;
    this.out_s = out_s;
    this.onEnd = onEnd;
    this.isEnded = false;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
  }

  get time() {
    if (this.isEnded) return this.duration;
    return Math.min(this.duration, Math.max(0, this.video.currentTime - this.in_s));
  }

  get duration() {
    return this.probed_s;
  }

  get available() {
    return this.duration;
  }

  get bufferedUntil() {
    return Math.min(this.duration, bufferedEnd(this.video.buffered, this.video.currentTime) - this.in_s);
  }

  /** Play; after the end, from the in point. */
  async play() {
    if (this.isEnded) this._goTo(0, false);
    return this.video.play();
  }

  /** Begin anew where a lock screen or a headset starts an ended clip directly. */
  hold() {
    if (this.isEnded) this._goTo(0, false);
  }

  /** Look at the playhead; to be called at every timeupdate, and once the video plays. */
  watch() {
    clearTimeout(this.timer);
    const { video, in_s } = this;
    if (this.isEnded) return;
    if (video.currentTime < in_s - FRAME_S && video.readyState > 0 && !video.seeking) video.currentTime = in_s;
    if (video.paused) return;
    const left_s = this.out_s - video.currentTime;
    if (left_s <= 0) this.stop();
    else if (left_s < LAST_STRETCH_S) this.timer = setTimeout(() => this.watch(), (left_s * 1000) / (video.playbackRate || 1));
  }

  /** Stop at the out point. */
  stop() {
    if (this.isEnded) return;
    this.isEnded = true;
    this.video.pause();
    this.onEnd();
  }

  close() {
    clearTimeout(this.timer);
  }

  /**
   * @param {number} seconds
   * @param {boolean} plays
   */
  _goTo(seconds, plays) {
    this.isEnded = false;
    super._goTo(this.in_s + Math.min(seconds, this.duration), plays);
  }
}
