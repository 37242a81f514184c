/**
 * The state of a stream. The chat's socket sends changes; this module asks the API
 * for the rest, and regularly while there is no socket.
 */

import { backoff } from "#lib/backoff";

const SAFETY_MS = 60_000; // in case the socket missed a change
const QUIET_FIRST_MS = 4000;
const QUIET_MOST_MS = 30_000;
const HURRY_MS = 1000;
// A large audience spreads its questions, so that they take half of a processor at most.
const HURRY_MS_PER_VIEWER = 25;
const HURRY_MOST_MS = 60_000;
const SAFETY_MS_PER_VIEWER = 300;
const SAFETY_MOST_MS = 600_000;

/**
 * @typedef {{status: string, playback: ?{hls_url: string, dvr_url: ?string, poster_url: ?string}, started_at: ?string, viewer_count: number, replay_id: ?string, replay_broadcast_id?: ?string, broadcast_id?: ?string, latency?: string, title: string}} StreamState
 */

export class StreamWatch {
  /**
   * @param {{ask: () => Promise<StreamState>, onState: (state: Partial<StreamState>) => void, onGone: () => void, onBack: () => void, later?: typeof setTimeout, never?: typeof clearTimeout, random?: () => number}} options
   *   ``onGone``: access to the stream is refused; ``onBack``: it is allowed again
   */
  constructor({ ask, onState, onGone, onBack, later = (...all) => setTimeout(...all), never = (timer) => clearTimeout(timer), random = Math.random }) {
    this.ask = ask;
    this.onState = onState;
    this.onGone = onGone;
    this.onBack = onBack;
    this.later = later;
    this.never = never;
    this.random = random;
    this.isHeard = false; // by the chat's socket
    this.audience = 0; // the number of viewers, who all may ask at once
    this.quiet = 0;
    this.received = 0; // the number of states that the socket sent
    this.isAsking = false;
    this.isOver = false;
    this.isGone = false;
  }

  start() {
    this._plan();
  }

  stop() {
    this.isOver = true;
    this.never(this.timer);
  }

  /** @param {boolean} isHeard whether the socket sends changes */
  setHeard(isHeard) {
    if (isHeard === this.isHeard) return;
    this.isHeard = isHeard;
    this.quiet = 0;
    // The first message may be a reason to hurry already.
    if (!this.isHurried) this._plan();
  }

  /** Ask soon, once for several reasons. */
  hurry() {
    if (this.isHurried) return;
    this.isHurried = true;
    // A response that is on its way may be older than the reason.
    if (!this.isAsking) this._plan(this._soon());
  }

  /**
   * Take a whole state from the socket. Nothing is left to ask, unless the stream was gone and is back.
   * @param {Partial<StreamState>} state
   */
  take(state) {
    if (this.isGone) {
      this.hurry();
      return;
    }
    this.isHurried = false;
    this.received += 1;
    this.onState(state);
    if (!this.isAsking) this._plan();
  }

  _soon() {
    return Math.min(HURRY_MOST_MS, Math.max(HURRY_MS, HURRY_MS_PER_VIEWER * this.audience)) * this.random();
  }

  _usual() {
    if (!this.isHeard) return backoff(this.quiet, { first: QUIET_FIRST_MS, most: QUIET_MOST_MS, random: this.random });
    const safety = Math.min(SAFETY_MOST_MS, Math.max(SAFETY_MS, SAFETY_MS_PER_VIEWER * this.audience));
    return safety * (0.5 + 0.5 * this.random()); // pages that came back together do not ask together
  }

  async refresh() {
    this.isHurried = false;
    this.isAsking = true;
    const { received } = this;
    try {
      const state = await this.ask();
      if (this.isOver) return;
      if (this.isGone) this.onBack();
      else if (received === this.received) this.onState(state); // else the socket knew more meanwhile
    } catch (error) {
      if (![401, 403, 404].includes(error.status) || this.isGone) return;
      if (received !== this.received) {
        this.isHurried = true; // the socket knew more meanwhile
      } else {
        this.isGone = true;
        this.onGone();
      }
    } finally {
      this.isAsking = false;
      this.quiet += 1;
      this._plan(this.isHurried ? this._soon() : undefined);
    }
  }

  /** @param {number} [wait] in ms */
  _plan(wait) {
    if (this.isOver) return;
    this.never(this.timer);
    this.timer = this.later(() => this.refresh(), wait ?? this._usual());
  }
}
