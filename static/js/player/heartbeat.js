/**
 * Tells the server that someone watches: after every ten seconds of playing, not
 * of being open. The server gives a session with the first report and counts by it.
 */

export const EVERY_S = 10;
const LONGEST_GAP_S = 1.5; // between two timeupdates of a playing video

export class Heartbeat {
  /**
   * @param {{send: (report: {position_s: number, session?: string}, isLast: boolean) => Promise<?{session: string}>, now?: () => number}} options
   *   ``now`` in seconds
   */
  constructor({ send, now = () => performance.now() / 1000 }) {
    this.send = send;
    this.now = now;
    this.played = 0;
    this.session = "";
    /** @type {?number} */
    this.lastTick = null;
  }

  /**
   * The playhead moved on; ``position`` in seconds.
   * @param {number} position
   */
  tick(position) {
    const now = this.now();
    if (this.lastTick !== null) this.played += Math.min(now - this.lastTick, LONGEST_GAP_S);
    this.lastTick = now;
    if (this.played >= EVERY_S) this.report(position);
  }

  /** Paused, waiting, seeking: time goes by and nothing is watched. */
  rest() {
    this.lastTick = null;
  }

  /**
   * The video ended, or the page goes away. A first report stands for ten
   * seconds, so an unfinished one is sent only for a video that is shorter.
   * @param {number} position
   * @param {number} duration
   */
  finish(position, duration) {
    this.rest();
    const isEnough = this.session ? this.played >= 1 : duration < 2 * EVERY_S && this.played >= duration / 2;
    if (isEnough) this.report(position, true);
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
      // A view that could not be told is not worth a word.
    }
  }
}
