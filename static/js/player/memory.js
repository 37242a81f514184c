/** The memory of the player: volume, speed, quality, captions and autoplay, and the last position of each video. */

import { forget, recall, remember } from "#lib/store";

const RESUME_FROM_S = 120; // shorter videos begin at the beginning
const NEAR_END = 0.95;
const POSITIONS_KEPT = 200;

/** @typedef {{volume: number, muted: boolean, speed: number, quality: number, captions: string, bandwidth: number, stable: boolean, autoplay: boolean}} Taste */

/** @type {Taste} */
const USUAL = { volume: 1, muted: false, speed: 1, quality: 0, captions: "", bandwidth: 0, stable: true, autoplay: true };

/** @returns {Taste} */
export function taste() {
  return { ...USUAL, ...recall("player", {}) };
}

/** @param {Partial<Taste>} change */
export function recordTaste(change) {
  remember("player", { ...taste(), ...change });
}

/**
 * @param {string} video
 * @param {number} position
 * @param {number} duration
 */
export function recordPosition(video, position, duration) {
  const known = recall("positions", /** @type {Record<string, number>} */ ({}));
  delete known[video]; // the newest stands last
  if (duration > RESUME_FROM_S && position > 5 && position < duration * NEAR_END) known[video] = Math.floor(position);
  const kept = Object.entries(known).slice(-POSITIONS_KEPT);
  if (kept.length) remember("positions", Object.fromEntries(kept));
  else forget("positions");
}

/**
 * Return where a position in a whole video lies in its kept parts: of one that is cut, the seam; 0 behind the end.
 * @param {number} position
 * @param {[number, number][]} kept
 */
export function movedPosition(position, kept) {
  let begins = 0;
  for (const [start, end] of kept) {
    if (position < end) return begins + Math.max(0, position - start);
    begins += end - start;
  }
  return 0;
}

/**
 * @param {string} video
 * @returns {number}
 */
export function positionOf(video) {
  return recall("positions", /** @type {Record<string, number>} */ ({}))[video] ?? 0;
}
