/** The section that a clip will show, and the part of the video that the editor's strip shows. Without a browser. */

export const MIN_S = 5;
export const MAX_S = 180;
const USUAL_S = 30;
/** The strip of a long video: wide enough for the longest clip, with room to both sides. */
const STRIP_S = 300;

/** @param {number} seconds */
const tenth = (seconds) => Math.round(seconds * 10) / 10;

export class ClipRange {
  /**
   * @param {{at: number, until: number}} options  ``at`` is the playhead, ``until`` the end of the stored part, in seconds
   */
  constructor({ at, until }) {
    // A clip may not end behind the video.
    const last = Math.floor(until * 10) / 10;
    this.until = last;
    // What one wants to keep has just been seen.
    this.end = tenth(Math.min(last, Math.max(at, Math.min(USUAL_S, last))));
    this.start = tenth(Math.max(0, this.end - USUAL_S));
    const from = tenth(Math.max(0, Math.min((this.start + this.end - STRIP_S) / 2, last - STRIP_S)));
    this.strip = { from, to: tenth(Math.min(last, from + STRIP_S)) };
  }

  get length() {
    return tenth(this.end - this.start);
  }

  /** A video that is too short has no clips. */
  get isPossible() {
    return this.until >= MIN_S;
  }

  /**
   * Move the beginning; the end follows where the length would leave its bounds.
   * @param {number} seconds
   */
  moveStart(seconds) {
    this.start = tenth(Math.min(Math.max(seconds, this.strip.from), this.strip.to - MIN_S));
    this.end = tenth(Math.min(Math.max(this.end, this.start + MIN_S), this.start + MAX_S));
  }

  /**
   * Move the end; the beginning follows where the length would leave its bounds.
   * @param {number} seconds
   */
  moveEnd(seconds) {
    this.end = tenth(Math.max(Math.min(seconds, this.strip.to), this.strip.from + MIN_S));
    this.start = tenth(Math.max(Math.min(this.start, this.end - MIN_S), this.end - MAX_S));
  }

  /**
   * Move both by ``seconds``, as far as the strip goes.
   * @param {number} seconds
   */
  moveBy(seconds) {
    const by = Math.min(Math.max(seconds, this.strip.from - this.start), this.strip.to - this.end);
    this.start = tenth(this.start + by);
    this.end = tenth(this.end + by);
  }

  /**
   * Return the place of a time on the strip, 0 to 1.
   * @param {number} seconds
   */
  share(seconds) {
    const { from, to } = this.strip;
    return to > from ? Math.min(1, Math.max(0, (seconds - from) / (to - from))) : 0;
  }

  /**
   * Return ``count`` times, evenly spread over the strip, for stills.
   * @param {number} count
   */
  times(count) {
    const { from, to } = this.strip;
    return Array.from({ length: count }, (_, number) => from + ((number + 0.5) * (to - from)) / count);
  }

  /**
   * Return where the preview goes on from ``now``: the beginning where it is outside, else null.
   * @param {number} now
   * @returns {?number}
   */
  looped(now) {
    return now < this.start - 0.5 || now >= this.end ? this.start : null;
  }
}
