/**
 * What a stream is at the moment. The chat's socket says when something changes;
 * this asks the API for the rest, and asks now and then where no socket gets through.
 */

import { backoff } from "#lib/backoff";

const SAFETY_MS = 60_000; // the socket tells; this is for what it missed
const QUIET_FIRST_MS = 4000;
const QUIET_MOST_MS = 30_000;
const HURRY_MS = 1000;

/**
 * @typedef {{status: string, playback: ?{hls_url: string, dvr_url: ?string, poster_url: ?string}, started_at: ?string, viewer_count: number, replay_id: ?string, title: string}} StreamState
 */

export class StreamWatch {
  /**
   * @param {{ask: () => Promise<StreamState>, onState: (state: StreamState) => void, onGone: () => void, later?: typeof setTimeout, never?: typeof clearTimeout, random?: () => number}} options
   *   ``onGone``: the stream is not for us any more
   */
  constructor({ ask, onState, onGone, later = (...all) => setTimeout(...all), never = (timer) => clearTimeout(timer), random = Math.random }) {
    Object.assign(this, { ask, onState, onGone, later, never, random });
    this.isHeard = false; // by the chat's socket
    this.quiet = 0;
    this.isAsking = false;
    this.isOver = false;
  }

  start() {
    this._plan();
  }

  stop() {
    this.isOver = true;
    this.never(this.timer);
  }

  /** @param {boolean} isHeard whether the socket tells us what happens */
  setHeard(isHeard) {
    if (isHeard === this.isHeard) return;
    this.isHeard = isHeard;
    this.quiet = 0;
    // The first thing that is heard may be a reason to hurry already.
    if (!this.isHurried) this._plan();
  }

  /** Something happened: ask soon, and once for many reasons. */
  hurry() {
    if (this.isHurried) return;
    this.isHurried = true;
    // An answer that is on its way may be older than the reason.
    if (!this.isAsking) this._plan(HURRY_MS * this.random());
  }

  async refresh() {
    this.isHurried = false;
    this.isAsking = true;
    try {
      const state = await this.ask();
      if (!this.isOver) this.onState(state);
    } catch (error) {
      if ([401, 403, 404].includes(error.status)) {
        this.stop();
        this.onGone();
      }
    } finally {
      this.isAsking = false;
      this.quiet += 1;
      this._plan(this.isHurried ? HURRY_MS * this.random() : undefined);
    }
  }

  /** @param {number} [wait] in ms */
  _plan(wait) {
    if (this.isOver) return;
    this.never(this.timer);
    const usual = this.isHeard ? SAFETY_MS : backoff(this.quiet, { first: QUIET_FIRST_MS, most: QUIET_MOST_MS, random: this.random });
    this.timer = this.later(() => this.refresh(), wait ?? usual);
  }
}
