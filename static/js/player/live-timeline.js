/** Dates and positions in a broadcast, and the pace near its edge, without a browser. */

/** @typedef {{start: number, duration: number, programDateTime: ?number}} Fragment  seconds, and ms since 1970 */

/**
 * Return the date of ``position`` in ms since 1970; null if the playlist has no dates.
 * After the last fragment, time goes on.
 * @param {Fragment[]} fragments
 * @param {number} position
 * @returns {?number}
 */
export function dateAt(fragments, position) {
  const known = fragments.filter((fragment) => fragment?.programDateTime);
  const holding = known.findLast((fragment) => fragment.start <= position) ?? known[0];
  return holding ? holding.programDateTime + (position - holding.start) * 1000 : null;
}

/**
 * Return the position of ``date``; null before the first fragment. Inside a gap (the
 * signal was gone) it is the end of the gap.
 * @param {Fragment[]} fragments
 * @param {number} date
 * @returns {?number}
 */
export function positionAt(fragments, date) {
  const known = fragments.filter((fragment) => fragment?.programDateTime);
  if (!known.length || date < known[0].programDateTime) return null;
  const at = known.findLastIndex((fragment) => fragment.programDateTime <= date);
  const inside = (date - known[at].programDateTime) / 1000;
  const isGap = at + 1 < known.length && inside > known[at].duration;
  return isGap ? known[at + 1].start : known[at].start + inside;
}

const MARGIN_S = 3; // fragments that the window may drop before they are loaded
const YOUNG_S = 12; // it drops nothing for at least as long again

/**
 * Return the position from which the live window can be loaded, in seconds, and whether
 * the window holds the whole broadcast. NaN before it is known.
 * @param {?{fragments: Fragment[], startSN: number, edge: number}} details
 */
export function windowOf(details) {
  const first = details?.fragments[0]?.start ?? Number.NaN;
  const isWhole = details?.startSN === 0 && details.edge - first < YOUNG_S;
  return { start: isWhole ? first : first + MARGIN_S, isWhole };
}

export const CATCH_UP_EVERY_MS = 200;
const TOLERATED_S = 0.08;
const NEEDED_S = 0.35; // buffered; with less, hurrying would stall

/**
 * Return the speed at which the delay returns to its target. hls.js's own catching
 * up needs more buffer than a stream of 200 ms parts ever has.
 * @param {{latency: number, target: number, buffered: number}} now seconds
 */
export function catchUpRate({ latency, target, buffered }) {
  const excess = latency - target;
  if (!(excess > TOLERATED_S) || buffered <= NEEDED_S) return 1;
  return Math.min(1.1, 1.02 + 0.2 * excess);
}

const BEHIND_S = 4;

/**
 * Return whether the delay is so long that "live" would be untrue.
 * @param {{latency: number, target: number}} now
 */
export function isBehind({ latency, target }) {
  return latency - target > BEHIND_S;
}

/**
 * Return the number of the delay in seconds, as "0.8" or "12"; empty before it is known.
 * @param {number} latency
 */
export function delayFigure(latency) {
  if (!Number.isFinite(latency) || latency <= 0) return "";
  return latency < 10 ? latency.toFixed(1) : String(Math.round(latency));
}
