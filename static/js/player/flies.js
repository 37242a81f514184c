/** The choice of chat messages that fly over the frames, without a browser. */

// An address that the server counts as a link, or text that looks like one.
const ADDRESS = /https?:\/\/|(?<![a-z0-9@/.-])(?:www\.[a-z0-9-]+\.|(?:[a-z0-9-]+\.)+[a-z]{2,12}\/)\S/i;

/** Longer messages pass too fast to be read, and fill a lane alone. */
export const MOST_LETTERS = 50;

/**
 * Return whether a message may fly: it is short and has no link, which nobody could follow.
 * @param {string} text
 */
export function flies(text) {
  return [...text].length <= MOST_LETTERS && !ADDRESS.test(text);
}
