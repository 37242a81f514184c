/**
 * The number of parts that an upload sends at a time.
 *
 * A TCP connection with loss carries little, however wide the line is, so more lanes pay
 * until the line is full. Lanes are added while they make the whole faster, and halved
 * where the storage or the line says that they are too many. The speed is that of whole
 * parts: a browser reports bytes as sent that still wait in its buffers.
 */

export const FIRST_LANES = 4;
// Browsers open six connections to a host by HTTP/1.1; by HTTP/2 they share one.
export const MOST_LANES = 12;
// Half as many lanes again make the whole at most 1.5 times as fast.
const GROWTH = 1.5;
const PAID = 1.15;
// After a step that did not pay, or after trouble, the next attempt waits.
const REST_MS = 60_000;

export class LaneCount {
  constructor() {
    this.count = FIRST_LANES;
    this.before = { count: FIRST_LANES, speed: 0 }; // of the last count that paid
    this.changedAt = 0;
    this.restUntil = 0;
    /** @type {{bytes: number, ms: number}[]} */
    this.parts = []; // that were sent with this count
  }

  /** Forget the parts of before a pause. */
  begin() {
    this.parts = [];
  }

  /**
   * Take note of a stored part, and change the count once each lane has sent two.
   *
   * The first ones do not count: they did not wait for a connection of the browser's.
   * @param {number} bytes
   * @param {number} startedAt in ms
   * @param {number} now
   */
  stored(bytes, startedAt, now) {
    if (startedAt < this.changedAt || now <= startedAt) return; // sent beside another number of parts
    this.parts.push({ bytes, ms: now - startedAt });
    if (this.parts.length < 2 * this.count) return;
    const judged = this.parts.slice(this.count);
    // The throughput is the number of lanes by the time in one (J. Little, 1961), with its waits.
    const sum = (/** @type {"bytes" | "ms"} */ name) => judged.reduce((total, one) => total + one[name], 0);
    const speed = (this.count * sum("bytes")) / sum("ms");
    this.parts = [];
    if (this.count > this.before.count && speed < this.before.speed * PAID) {
      this.change(this.before.count, now);
      this.restUntil = now + REST_MS;
    } else {
      this.before = { count: this.count, speed };
      const grown = Math.min(MOST_LANES, Math.ceil(this.count * GROWTH));
      if (now >= this.restUntil && grown > this.count) this.change(grown, now);
    }
  }

  /**
   * Halve the lanes: the storage asked for less, or a part got no answer.
   * @param {number} startedAt of the part; parts that fail together count once
   * @param {number} now
   */
  shrink(startedAt, now) {
    if (startedAt < this.changedAt) return;
    this.change(Math.max(1, this.count >> 1), now);
    this.before = { count: this.count, speed: 0 };
    this.restUntil = now + REST_MS;
  }

  /**
   * @param {number} count
   * @param {number} now
   */
  change(count, now) {
    this.count = count;
    this.changedAt = now;
    this.parts = [];
  }
}
