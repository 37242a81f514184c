/** The speed near the edge of a broadcast, and jumps to it, without a browser. */

import { Attempts } from "#player/attempts";
import { catchUpRate } from "#player/live-timeline";

const LATE_S = 2; // hurrying would take too long
const LATE_AFTER_GAP_S = 1; // the signal was gone: nobody misses a second

export class Pace {
  /**
   * @param {{isLowLatency: boolean, now?: () => number}} options ``now`` in ms
   */
  constructor({ isLowLatency, now }) {
    this.isLowLatency = isLowLatency;
    this.isReturning = false;
    // On a slow line every jump would empty the buffer again.
    this.jumps = new Attempts({ most: 1, within_ms: 10_000, now });
  }

  /** Use up the jump: after a pause the next frame is the one to show. */
  hold() {
    this.jumps.allow();
  }

  /** Allow one jump: the signal is back after a gap. */
  returns() {
    this.isReturning = true;
    this.jumps.forget();
  }

  /**
   * @param {{latency: number, target: number, buffered: number}} now seconds
   * @returns {{rate: number, jumps: boolean}}
   */
  decide(now) {
    const excess = now.latency - now.target;
    const isLate = excess > (this.isReturning ? LATE_AFTER_GAP_S : LATE_S);
    if (Number.isFinite(excess)) this.isReturning = false;
    return { rate: this.isLowLatency ? catchUpRate(now) : 1, jumps: isLate && this.jumps.allow() };
  }
}
