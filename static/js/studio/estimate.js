/**
 * Return a duration as people estimate it: half a minute, four minutes, two hours.
 * @param {number} seconds
 * @param {string} [locale]
 */
export function about(seconds, locale) {
  const [value, unit] =
    seconds <= 50
      ? [Math.max(10, Math.ceil(seconds / 10) * 10), "second"]
      : seconds < 5400
        ? [Math.max(1, Math.round(seconds / 60)), "minute"]
        : [Math.round(seconds / 1800) / 2, "hour"];
  return new Intl.NumberFormat(locale || undefined, { style: "unit", unit, unitDisplay: "long" }).format(value);
}

const SETTLE_MS = 20_000;
const FORGET_MS = 6000;

/**
 * An estimate that does not jump: it counts down by itself, moves to new estimates slowly, and rises only where the
 * work has become much longer.
 */
export class SteadyEstimate {
  /** @type {?number} */
  seconds = null;
  shown = 0;
  at = 0;
  knownAt = 0;

  /**
   * Return the seconds to show, or null while nothing is known.
   * @param {?number} estimate a new estimate in seconds, null for none
   * @param {number} now milliseconds
   */
  next(estimate, now) {
    const passed = now - this.at;
    this.at = now;
    if (this.seconds === null || now - this.knownAt > FORGET_MS) {
      this.knownAt = now;
      this.shown = estimate ?? 0;
      return (this.seconds = estimate);
    }
    this.seconds = Math.max(0, this.seconds - passed / 1000);
    if (estimate !== null) {
      this.knownAt = now;
      this.seconds += (estimate - this.seconds) * (1 - Math.exp(-passed / SETTLE_MS));
    }
    const isLonger = this.seconds > this.shown * 1.25 + 10;
    if (this.seconds < this.shown || isLonger) this.shown = this.seconds;
    return this.shown;
  }
}
