/** Time as numbers and as text, without a browser. */

/**
 * Return seconds as text: 65.2 as "1:05", 3723 as "1:02:03".
 * @param {number} seconds
 */
export function clock(seconds) {
  const whole = Number.isFinite(seconds) ? Math.max(0, Math.floor(seconds)) : 0;
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor(whole / 60) % 60;
  const rest = String(whole % 60).padStart(2, "0");
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${rest}` : `${minutes}:${rest}`;
}

/**
 * Return the duration of the seek bar, in seconds. While a video is being encoded, the
 * media element knows only the encoded part, and the probed duration counts.
 * @param {{probed: number, media: number, isGrowing: boolean}} known
 */
export function shownDuration({ probed, media, isGrowing }) {
  const known = Number.isFinite(media) && media > 0 ? media : 0;
  if (isGrowing) return Math.max(probed, known);
  return known || probed;
}

/**
 * Return the end of the seekable part, in seconds.
 * @param {{media: number, seekableEnd: number, duration: number, isGrowing: boolean}} known
 */
export function availableEnd({ media, seekableEnd, duration, isGrowing }) {
  if (!isGrowing) return duration;
  const end = Number.isFinite(media) && media > 0 ? media : seekableEnd;
  return Math.min(duration, Math.max(0, end));
}

/** Distance from the end of the encoded part: at the end there is no frame to show. */
const EDGE_S = 1;

/**
 * Return whether ``wanted`` lies where nothing is encoded yet.
 * @param {number} wanted
 * @param {{available: number, isGrowing: boolean}} known
 */
export function isBeyond(wanted, { available, isGrowing }) {
  return isGrowing && wanted > Math.max(0, available - EDGE_S);
}

/**
 * @param {number} wanted
 * @param {{available: number, isGrowing: boolean}} known
 */
export function clampSeek(wanted, { available, isGrowing }) {
  const last = isGrowing ? Math.max(0, available - EDGE_S) : available;
  return Math.min(Math.max(0, wanted), last);
}

/**
 * Return the end of the buffered range around ``now``; ``now`` if it is not buffered.
 * @param {TimeRanges} buffered
 * @param {number} now
 */
export function bufferedEnd(buffered, now) {
  for (let i = 0; i < buffered.length; i += 1) {
    if (buffered.start(i) <= now + 0.1 && now <= buffered.end(i)) return buffered.end(i);
  }
  return now;
}

/**
 * Return the position in the address, ``t`` (90, 90s, 1m30s, 1h2m3s), in seconds; null if there is none.
 * @param {string} search
 * @returns {?number}
 */
export function startInAddress(search) {
  const text = new URLSearchParams(search).get("t") ?? "";
  if (/^\d+(\.\d+)?s?$/.test(text)) return Number.parseFloat(text);
  const found = /^(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?$/.exec(text);
  if (!text || !found) return null;
  const [, hours = 0, minutes = 0, seconds = 0] = found;
  return Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds);
}
