/** Unpublished captions on this device, one draft for each video and language. */

/** @typedef {{version: string, cues: {start: number, end: number, text: string, settings: string}[]}} Draft */

/** @param {string} video @param {string} language */
const keyOf = (video, language) => `captions:${video}:${language}`;

/**
 * @param {string} video
 * @param {string} language
 * @returns {?Draft}
 */
export function readDraft(video, language) {
  try {
    const draft = JSON.parse(localStorage.getItem(keyOf(video, language)) ?? "null");
    return Array.isArray(draft?.cues) && typeof draft.version === "string" ? draft : null;
  } catch {
    return null; // no storage in this browser, or something else in it
  }
}

/**
 * @param {string} video
 * @param {string} language
 * @param {?Draft} draft null: delete it
 * @returns {boolean} whether it is kept
 */
export function writeDraft(video, language, draft) {
  try {
    if (draft) localStorage.setItem(keyOf(video, language), JSON.stringify(draft));
    else localStorage.removeItem(keyOf(video, language));
    return true;
  } catch {
    return false; // full, or forbidden
  }
}
