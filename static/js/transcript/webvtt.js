/**
 * Captions as our server writes them: WebVTT with one blank line between cues. The reader takes anything and leaves
 * out what it cannot read; the server's own reader is the strict one.
 */

/** @typedef {{start: number, end: number, text: string, settings: string}} TextCue  times in milliseconds */

const TIME = String.raw`(?:(\d+):)?(\d{1,2}):(\d{1,2})[.,](\d{1,3})`;
const TIMING = new RegExp(`^\\s*${TIME}\\s*-->\\s*${TIME}\\s*(.*)$`);
const ENTITIES = { "&amp;": "&", "&lt;": "<", "&gt;": ">", "&nbsp;": "\u00a0", "&lrm;": "\u200e", "&rlm;": "\u200f" };

/**
 * @param {string} text
 * @returns {TextCue[]} in order of time; ``text`` still has its markup
 */
export function parse(text) {
  const cues = [];
  for (const block of text.replaceAll(/\r\n?/g, "\n").split(/\n{2,}/)) {
    const lines = block.split("\n");
    const at = lines.findIndex((line) => line.includes("-->"));
    const timing = at < 0 ? null : TIMING.exec(lines[at]);
    const words = lines.slice(at + 1).join("\n").trim();
    if (!timing || !words) continue;
    const start = milliseconds(timing.slice(1, 5));
    const end = milliseconds(timing.slice(5, 9));
    if (end > start) cues.push({ start, end, text: words, settings: timing[9].trim() });
  }
  return cues.sort((a, b) => a.start - b.start || a.end - b.end);
}

/** @param {string[]} parts hours, minutes, seconds, fraction */
function milliseconds([hours, minutes, seconds, fraction]) {
  return ((Number(hours ?? 0) * 60 + Number(minutes)) * 60 + Number(seconds)) * 1000 + Number(fraction.padEnd(3, "0"));
}

/**
 * @param {TextCue[]} cues
 * @returns {string}
 */
export function write(cues) {
  const blocks = cues.map(({ start, end, text, settings }) => `${clock(start)} --> ${clock(end)}${settings ? ` ${settings}` : ""}\n${text}\n`);
  return `WEBVTT\n\n${blocks.join("\n")}`;
}

/**
 * SubRip knows no settings and few entities, so its words are plain, with italics and bold.
 * @param {TextCue[]} cues
 */
export function writeSubRip(cues) {
  const blocks = cues.map(({ start, end, text }, at) => {
    const words = unescape(text.replaceAll(/<(?!\/?[biu]>)[^>]*>/g, ""));
    return `${at + 1}\n${clock(start, ",")} --> ${clock(end, ",")}\n${words}\n`;
  });
  return blocks.join("\n");
}

/**
 * ``clock(3_723_004)`` is "01:02:03.004".
 * @param {number} ms
 * @param {string} [mark] of the fraction
 */
export function clock(ms, mark = ".") {
  const whole = Math.max(0, Math.round(ms));
  const two = (/** @type {number} */ value) => String(value).padStart(2, "0");
  const seconds = Math.floor(whole / 1000);
  const fraction = String(whole % 1000).padStart(3, "0");
  return `${two(Math.floor(seconds / 3600))}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}${mark}${fraction}`;
}

/**
 * Return the words of a cue without markup, on one line.
 * @param {string} text
 */
export function plain(text) {
  return unescape(text.replaceAll(/<[^>]*>/g, "")).replaceAll(/\s*\n\s*/g, " ").trim();
}

/** @param {string} text */
export function unescape(text) {
  return text.replaceAll(/&(?:amp|lt|gt|nbsp|lrm|rlm);/g, (entity) => ENTITIES[/** @type {keyof typeof ENTITIES} */ (entity)]);
}

/** @param {string} text */
export function escape(text) {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
