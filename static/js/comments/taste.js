/** Which danmaku somebody wants to see: nothing here knows a browser. */

/** @typedef {{share: number, scroll: boolean, top: boolean, bottom: boolean, color: boolean, words: string}} Taste */

/** @type {Taste} */
export const USUAL = { share: 1, scroll: true, top: true, bottom: true, color: true, words: "" };

/**
 * Words between commas of either script, in lower case.
 * @param {string} text
 */
export function wordsIn(text) {
  return text.split(/[,，、]/).map((word) => word.trim().toLowerCase()).filter(Boolean);
}

/**
 * ``flying`` as it is to be shown, or null.
 * @template {{text: string, mode: string, color: string, isOwn?: boolean}} Flying
 * @param {Flying} flying
 * @param {Taste} taste
 * @returns {?Flying}
 */
export function filtered(flying, taste) {
  if (!flying.isOwn) {
    if (taste[flying.mode] === false) return null;
    const text = flying.text.toLowerCase();
    if (wordsIn(taste.words).some((word) => text.includes(word))) return null;
  }
  return taste.color ? flying : { ...flying, color: "#ffffff" };
}
