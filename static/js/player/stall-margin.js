/**
 * The additional distance from the edge of a broadcast after stalls: more after each
 * stall, and less again without them. Without a browser.
 */

const CALM_MS = 8000; // without a stall, before the margin shrinks by one step
const CALM_MOST_MS = 64_000;

export class StallMargin {
  /**
   * @param {{step_s: number, most_s: number, now?: () => number}} options  seconds; ``now`` in ms
   */
  constructor({ step_s, most_s, now = () => performance.now() }) {
    this.step_s = step_s;
    this.most_s = most_s;
    this.now = now;
    this.seconds = 0;
    this.wait_ms = CALM_MS;
    this.shrankAt = -Infinity;
    this.changedAt = -Infinity;
  }

  /** Take a stall into account. Soon after a step towards the edge, the next such step waits twice as long. */
  stalled() {
    const now = this.now();
    if (now - this.shrankAt < this.wait_ms) this.wait_ms = Math.min(CALM_MOST_MS, 2 * this.wait_ms);
    this.seconds = Math.min(this.most_s, this.seconds + this.step_s);
    this.changedAt = now;
  }

  /** Remove a step after enough playing without a stall. */
  calm() {
    const now = this.now();
    if (now - this.changedAt < this.wait_ms) return;
    if (this.seconds === 0) {
      this.wait_ms = CALM_MS;
      return;
    }
    this.seconds = Math.max(0, this.seconds - this.step_s);
    this.changedAt = now;
    this.shrankAt = now;
  }

  /** Forget the stalls: they had another reason than the viewer's line. */
  forget() {
    this.seconds = 0;
    this.wait_ms = CALM_MS;
  }
}
