/** Moments that a person picks or waits for: text and numbers, without a browser. */

const DAY_S = 86_400;

/** @param {number} number */
const two = (number) => String(number).padStart(2, "0");

/**
 * Return a moment as a ``datetime-local`` field holds it, in the browser's zone.
 * @param {Date} moment
 */
export function fieldValue(moment) {
  const date = [moment.getFullYear(), two(moment.getMonth() + 1), two(moment.getDate())].join("-");
  return `${date}T${two(moment.getHours())}:${two(moment.getMinutes())}`;
}

/**
 * Return the moment of the server's value, which is UTC with or without saying so; null if it is none.
 * @param {string} value
 * @returns {?Date}
 */
export function momentOf(value) {
  const moment = new Date(/(Z|[+-]\d\d:?\d\d)$/.test(value) ? value : `${value}Z`);
  return Number.isNaN(moment.getTime()) ? null : moment;
}

/**
 * Return the time that is left as ``3:04:05``, with the days before it.
 * @param {number} left_ms
 * @param {string} days such as ``{n} days``
 */
export function leftText(left_ms, days) {
  const left_s = Math.max(0, Math.ceil(left_ms / 1000));
  const [hours, minutes, seconds] = [Math.floor((left_s % DAY_S) / 3600), Math.floor((left_s % 3600) / 60), left_s % 60];
  const time = `${hours}:${two(minutes)}:${two(seconds)}`;
  return left_s < DAY_S ? time : `${days.replace("{n}", String(Math.floor(left_s / DAY_S)))} ${time}`;
}

/** The clock of a premiere: the position at which everyone is. */
export class PremiereClock {
  /**
   * @param {number} position_s now
   * @param {() => number} [now] in ms
   */
  constructor(position_s, now = () => Date.now()) {
    this.now = now;
    this.began_ms = now() - position_s * 1000;
  }

  get position_s() {
    return (this.now() - this.began_ms) / 1000;
  }

  /**
   * Return the position for a player that wants ``seconds``: nobody sees what comes later.
   * @param {number} seconds
   */
  allowed(seconds) {
    return Math.min(seconds, this.position_s);
  }
}
