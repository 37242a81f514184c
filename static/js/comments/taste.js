/** The filters for danmaku, without a browser. */

/** @typedef {{share: number, scroll: boolean, top: boolean, bottom: boolean, color: boolean, words: string}} Taste */

/** @type {Taste} */
export const USUAL = { share: 1, scroll: true, top: true, bottom: true, color: true, words: "" };

/**
 * Return the words between Latin or Chinese commas, in lower case.
 * @param {string} text
 */
export function wordsIn(text) {
  return text.split(/[,，、]/).map((word) => word.trim().toLowerCase()).filter(Boolean);
}

/**
 * Return ``flying`` as it is to be shown, or null.
 * @template {{text: string, mode: string, color: string, isOwn?: boolean}} Flying
 * @param {Flying} flying
 * @param {Taste} taste
 * @returns {?Flying}
 */
export function filtered(flying, taste) {
  if (!flying.isOwn) {
    if (taste[/** @type {"scroll" | "top" | "bottom"} */ (flying.mode)] === false) return null;
    const text = flying.text.toLowerCase();
    if (wordsIn(taste.words).some((word) => text.includes(word))) return null;
  }
  return taste.color ? flying : { ...flying, color: "#ffffff" };
}
