/** A position that was asked for before it is encoded, without a browser. */

import { isBeyond } from "#player/timeline";

export class WantedTime {
  constructor() {
    /** @type {?number} in seconds; null: nothing is waited for */
    this.seconds = null;
    this.plays = false;
  }

  get isPending() {
    return this.seconds !== null;
  }

  /**
   * Wait for ``seconds``. Another position during a wait keeps the choice of play or pause.
   * @param {number} seconds
   * @param {boolean} plays whether it is to play on arrival
   */
  want(seconds, plays) {
    if (!this.isPending) this.plays = plays;
    this.seconds = seconds;
  }

  drop() {
    this.seconds = null;
  }

  /**
   * Return the time that was waited for once it can be played, and forget it; null before.
   * @param {{available: number, isGrowing: boolean}} reach
   * @returns {?number}
   */
  arrive(reach) {
    const { seconds } = this;
    if (seconds === null || isBeyond(seconds, reach)) return null;
    this.seconds = null;
    return Math.min(seconds, reach.available);
  }
}
