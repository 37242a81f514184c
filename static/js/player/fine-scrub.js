/** Finer steps of a drag along the seek bar, the further the pointer is from the bar. Without a browser. */

/** From which distance of the bar, in pixels, which part of a movement counts. */
const RATES = [
  { from_px: 200, rate: 0.1, label: "1/10" },
  { from_px: 120, rate: 0.25, label: "1/4" },
  { from_px: 56, rate: 0.5, label: "1/2" },
];

export class FineScrub {
  /** Empty while each movement counts whole. */
  label = "";

  #x = 0;

  /** @type {?number} */
  #share = null;

  /**
   * Return the position of a drag as a share of the bar; null while the pointer has never left the bar.
   * @param {{x: number, distance: number, width: number, share: number}} pointer
   *   all in pixels but ``share``, which is the last position of the drag
   * @returns {?number}
   */
  move({ x, distance, width, share }) {
    const step = RATES.find(({ from_px }) => distance >= from_px);
    this.label = step?.label ?? "";
    if (this.#share !== null) this.#share = Math.min(1, Math.max(0, this.#share + ((x - this.#x) / width) * (step?.rate ?? 1)));
    else if (step) this.#share = share;
    this.#x = x;
    return this.#share;
  }
}
