/** Taps in quick succession, without a browser. */

const DOUBLE_TAP_MS = 280;
const FURTHER_TAP_MS = 600; // fingers are slower once the first skip is seen
const SIDE_SHARE = 0.35;

/**
 * Return the zone of a tap: -1 at the left, 1 at the right, 0 between.
 * @param {number} share of the width, from the left
 */
export function zoneOf(share) {
  if (share < SIDE_SHARE) return -1;
  return share > 1 - SIDE_SHARE ? 1 : 0;
}

export class TapCounter {
  count = 0;
  #last = { at_ms: Number.NEGATIVE_INFINITY, zone: 0 };

  /**
   * Count a tap, and return how many there were in its zone in quick succession.
   * @param {number} at_ms
   * @param {number} zone
   */
  tap(at_ms, zone) {
    const isQuick = at_ms - this.#last.at_ms < (this.count > 1 ? FURTHER_TAP_MS : DOUBLE_TAP_MS);
    this.count = isQuick && zone === this.#last.zone ? this.count + 1 : 1;
    this.#last = { at_ms, zone };
    return this.count;
  }
}
