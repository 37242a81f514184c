/** A countdown that can be held, without a browser. */

const TICK_MS = 200;

export class PausableCountdown {
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #timer;

  /**
   * @param {{seconds: number, isHeld: () => boolean, onTick: (left_s: number) => void, onEnd: () => void, now?: () => number}} options
   *   while ``isHeld`` the time stands still; ``now`` returns milliseconds
   */
  constructor({ seconds, isHeld, onTick, onEnd, now = () => performance.now() }) {
    this.seconds = seconds;
    this.isHeld = isHeld;
    this.onTick = onTick;
    this.onEnd = onEnd;
    this.now = now;
    this.left_ms = 0;
    this.lookedAt = 0;
  }

  get isRunning() {
    return this.#timer !== undefined;
  }

  /** Count from the beginning. */
  start() {
    this.stop();
    this.left_ms = this.seconds * 1000;
    this.lookedAt = this.now();
    this.onTick(this.seconds);
    this.#timer = setInterval(() => this.look(), TICK_MS);
  }

  stop() {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** Take off the time that passed: browsers call a hidden page only now and then. */
  look() {
    const now = this.now();
    if (!this.isHeld()) this.left_ms -= now - this.lookedAt;
    this.lookedAt = now;
    this.onTick(Math.max(0, this.left_ms / 1000));
    if (this.left_ms > 0) return;
    this.stop();
    this.onEnd();
  }
}
