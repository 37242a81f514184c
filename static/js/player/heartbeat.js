/**
 * Reports to the server that somebody watches, after a number of seconds of playing.
 * The server gives a session with the first response and counts by it.
 */

export const EVERY_S = 10;
const LONGEST_GAP_S = 1.5; // between two timeupdates of a playing video

export class Heartbeat {
  /**
   * @param {{send: (report: {position_s: number, session?: string}, isLast: boolean) => Promise<?{session: string}>, every_s?: number, first_s?: number, now?: () => number}} options
   *   ``first_s`` is how soon the first report comes; ``now`` in seconds
   */
  constructor({ send, every_s = EVERY_S, first_s = every_s, now = () => performance.now() / 1000 }) {
    this.send = send;
    this.every_s = every_s;
    this.now = now;
    this.played = every_s - first_s;
    this.session = "";
    /** @type {?number} */
    this.lastTick = null;
  }

  /**
   * Count the time since the last tick; ``position`` in seconds.
   * @param {number} position
   */
  tick(position) {
    const now = this.now();
    if (this.lastTick !== null) this.played += Math.min(now - this.lastTick, LONGEST_GAP_S);
    this.lastTick = now;
    if (this.played >= this.every_s) this.report(position);
  }

  /** Stop counting: nothing is watched during a pause, a wait or a seek. */
  rest() {
    this.lastTick = null;
  }

  /**
   * Send the last report of a session: the video ended, or the page goes away.
   * @param {number} position
   */
  finish(position) {
    this.rest();
    if (this.session && this.played >= 1) this.report(position, true);
  }

  /**
   * @param {number} position
   * @param {boolean} [isLast]
   */
  async report(position, isLast = false) {
    this.played = 0;
    const report = { position_s: Math.round(position * 10) / 10 };
    try {
      const answer = await this.send(this.session ? { ...report, session: this.session } : report, isLast);
      if (answer?.session) this.session = answer.session;
    } catch {
      // A report that fails is not worth a message.
    }
  }
}
