/** A bound on trying again: so many times in so long, and not once more. */

export class Attempts {
  /**
   * @param {{most: number, within_ms: number, now?: () => number}} options
   */
  constructor({ most, within_ms, now = () => performance.now() }) {
    this.most = most;
    this.within_ms = within_ms;
    this.now = now;
    /** @type {number[]} */
    this.times = [];
  }

  /** Record an attempt; return false when there were too many of late. */
  allow() {
    const now = this.now();
    this.times = this.times.filter((time) => now - time < this.within_ms);
    if (this.times.length >= this.most) return false;
    this.times.push(now);
    return true;
  }

  forget() {
    this.times = [];
  }
}
