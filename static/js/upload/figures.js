/** Speed and remaining time of something that is under way, without a browser. */

const MAX_TITLE = 150;
const WINDOW_S = 8; // the speed is that of the last seconds

export class Speed {
  constructor() {
    /** @type {{at: number, bytes: number}[]} */
    this.samples = [];
  }

  /**
   * @param {number} bytes sent so far
   * @param {number} at in seconds
   */
  record(bytes, at) {
    if (this.samples.length && bytes < this.samples.at(-1).bytes) this.samples = []; // a part began anew
    this.samples.push({ at, bytes });
    while (this.samples.length > 2 && this.samples[0].at < at - WINDOW_S) this.samples.shift();
  }

  /** Bytes a second; 0 while nobody can tell. */
  get value() {
    const [first, last] = [this.samples[0], this.samples.at(-1)];
    if (!first || last.at - first.at < 1) return 0;
    return (last.bytes - first.bytes) / (last.at - first.at);
  }

  forget() {
    this.samples = [];
  }
}

/**
 * @param {number} bytes
 * @param {string} locale
 */
export function size(bytes, locale) {
  const units = ["byte", "kilobyte", "megabyte", "gigabyte", "terabyte"];
  let step = 0;
  let amount = bytes;
  while (amount >= 1000 && step < units.length - 1) {
    amount /= 1000;
    step += 1;
  }
  const maximumFractionDigits = amount < 10 && step > 1 ? 1 : 0;
  /** @type {Intl.NumberFormatOptions} */
  const style = { style: "unit", unit: units[step], unitDisplay: "short", maximumFractionDigits };
  return new Intl.NumberFormat(locale, style).format(amount);
}

/**
 * Return the remaining time in the unit that fits.
 * @param {number} seconds
 * @returns {{unit: "seconds" | "minutes" | "hours", n: number}}
 */
export function left(seconds) {
  if (seconds < 60) return { unit: "seconds", n: Math.max(1, Math.round(seconds)) };
  if (seconds < 3600) return { unit: "minutes", n: Math.round(seconds / 60) };
  return { unit: "hours", n: Math.round(seconds / 360) / 10 };
}

/**
 * Return a title for a file: "holiday final 2" for "holiday_final-2.MOV".
 * @param {string} filename
 */
export function titleOf(filename) {
  const name = wellFormed(filename);
  const stem = name.replace(/\.[^.]{1,5}$/, "");
  return cut(stem.replace(/[_-]+/g, " ").replace(/\s+/g, " ").trim(), MAX_TITLE) || cut(name, MAX_TITLE);
}

/**
 * Return the text without lone surrogates, which file names of some systems contain and JSON may not.
 * @param {string} text
 */
export function wellFormed(text) {
  return text.replace(/\p{Surrogate}/gu, " ");
}

/**
 * Return the beginning of a text; a character of two code units, such as an emoji, stays whole or goes.
 * @param {string} text
 * @param {number} length in UTF-16 units, as ``maxlength`` counts
 */
function cut(text, length) {
  return text.slice(0, length).replace(/\p{Surrogate}$/u, "").trimEnd();
}
