/** The order of a list while a row is dragged: numbers only. */

/**
 * Return the place that a dragged row takes: the number of other rows whose middle lies above it.
 * @param {number} y of the pointer
 * @param {{top: number, height: number}[]} others  boxes of the other rows, from the top
 */
export function placeAt(y, others) {
  return others.filter(({ top, height }) => top + height / 2 < y).length;
}

/**
 * Return the place after an arrow key, within the list; null for another key.
 * @param {string} key
 * @param {number} place
 * @param {number} count
 */
export function placeAfter(key, place, count) {
  const steps = /** @type {Record<string, number>} */ ({ ArrowUp: -1, ArrowDown: 1, Home: -count, End: count });
  if (!(key in steps)) return null;
  return Math.min(count - 1, Math.max(0, place + steps[key]));
}
