/** Chapters as numbers: which one a position belongs to, and where the bar is divided. Without a browser. */

/** @typedef {{start_s: number, title: string}} Chapter */

/**
 * Return the chapters that an element carries as JSON; none if it is missing or broken.
 * @param {string} [json]
 * @returns {Chapter[]}
 */
export function readChapters(json = "") {
  try {
    return JSON.parse(json);
  } catch {
    return [];
  }
}

/**
 * Return the chapter of a position; null before the first one.
 * @param {Chapter[]} chapters in order
 * @param {number} seconds
 * @returns {?Chapter}
 */
export function chapterAt(chapters, seconds) {
  return chapters.findLast(({ start_s }) => start_s <= seconds) ?? null;
}

/**
 * Return the positions on the bar, as shares of it, at which a chapter follows another.
 * @param {Chapter[]} chapters
 * @param {number} duration in seconds
 */
export function divisions(chapters, duration) {
  return chapters.map(({ start_s }) => start_s / duration).filter((share) => share > 0 && share < 1);
}

/**
 * Return a CSS mask that cuts gaps into the bar at ``shares``; empty without any.
 * @param {number[]} shares ascending
 * @param {number} gapPx
 */
export function gaps(shares, gapPx) {
  if (!shares.length) return "";
  const stops = shares.flatMap((share) => {
    const middle = `${(share * 100).toFixed(4)}%`;
    const [from, to] = [`calc(${middle} - ${gapPx / 2}px)`, `calc(${middle} + ${gapPx / 2}px)`];
    return [`#000 ${from}`, `transparent ${from}`, `transparent ${to}`, `#000 ${to}`];
  });
  return `linear-gradient(to right, ${stops.join(", ")})`;
}
