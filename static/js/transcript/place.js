/** Places in a transcript, by time and by words. */

/**
 * Return the index of the last cue that has begun; -1 before the first.
 * @param {{start: number}[]} cues in order of time
 * @param {number} ms
 */
export function cueAt(cues, ms) {
  let low = 0;
  let high = cues.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (cues[middle].start <= ms) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/**
 * Return the parts of ``text``, marked where they match ``query``; null if none does.
 * @param {string} text
 * @param {string} query
 * @returns {?{text: string, isMatch: boolean}[]}
 */
export function marked(text, query) {
  const wanted = query.trim().toLowerCase();
  if (!wanted) return [{ text, isMatch: false }];
  const searched = text.toLowerCase();
  // Lower case may have another length ("İ"): then the whole line is the match.
  if (searched.length !== text.length) return searched.includes(wanted) ? [{ text, isMatch: true }] : null;
  const parts = [];
  let at = 0;
  for (let found = searched.indexOf(wanted); found >= 0; found = searched.indexOf(wanted, at)) {
    if (found > at) parts.push({ text: text.slice(at, found), isMatch: false });
    at = found + wanted.length;
    parts.push({ text: text.slice(found, at), isMatch: true });
  }
  if (!at) return null;
  if (at < text.length) parts.push({ text: text.slice(at), isMatch: false });
  return parts;
}

/**
 * Return the language to begin with: the one that the player shows, else the reader's, else the first.
 * @param {string[]} tags
 * @param {(string | undefined)[]} wishes
 */
export function chosenLanguage(tags, wishes) {
  for (const wish of wishes) {
    const lower = wish?.toLowerCase();
    if (!lower) continue;
    const found = tags.find((tag) => tag.toLowerCase() === lower) ?? tags.find((tag) => tag.toLowerCase().split("-")[0] === lower.split("-")[0]);
    if (found) return found;
  }
  return tags[0];
}
