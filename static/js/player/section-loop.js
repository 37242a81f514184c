/** A part of a video that repeats, from A to B, without a browser. */

const SHORTEST_S = 0.5;

export class SectionLoop {
  /** @type {?number} */
  start_s = null;

  /** @type {?number} */
  end_s = null;

  #last_s = 0;

  get isComplete() {
    return this.end_s !== null;
  }

  /**
   * Take the next step: A, then B, then none. A "B" before A, or too near to it, becomes the new A.
   * @param {number} now_s
   */
  mark(now_s) {
    if (this.isComplete) this.clear();
    else if (this.start_s === null || now_s - this.start_s < SHORTEST_S) this.start_s = now_s;
    else this.end_s = now_s;
    this.#last_s = now_s;
  }

  clear() {
    this.start_s = null;
    this.end_s = null;
  }

  /**
   * Record a seek: a position behind B that somebody chose plays on.
   * @param {number} now_s
   */
  seek(now_s) {
    this.#last_s = now_s;
  }

  /**
   * Return the position to go back to if playback has just reached B, else null.
   * @param {number} now_s
   * @returns {?number}
   */
  advance(now_s) {
    const { start_s, end_s } = this;
    const hasCrossed = end_s !== null && this.#last_s < end_s && now_s >= end_s;
    this.#last_s = now_s;
    return hasCrossed ? start_s : null;
  }
}
