/**
 * The number of parts that an upload sends at a time.
 *
 * A TCP connection with loss carries little, however wide the line is, so more lanes pay
 * until the line is full. Lanes are added one by one while each makes the whole faster, and
 * halved where the storage or the line says that they are too many. Time and bytes are
 * passed in, so that all of this runs under Node.
 */

export const FIRST_LANES = 4;
// Browsers open six connections to a host by HTTP/1.1; by HTTP/2 they share one.
export const MOST_LANES = 12;
// A window is long enough for a new connection to reach its speed.
const WINDOW_MS = 4_000;
// A lane more has paid if the whole became this much faster.
const PAID = 1.05;
// After a step that did not pay, or after trouble, the next attempt waits.
const REST_MS = 60_000;

export class LaneCount {
  /** @param {number} now in ms */
  constructor(now) {
    this.count = FIRST_LANES;
    this.bestBps = 0; // with one lane fewer
    this.isTrying = false;
    this.restUntil = now + WINDOW_MS; // the first connections begin slowly
    this.shrunkUntil = 0;
    this.begin(0, now);
  }

  /**
   * @param {number} bytes sent by all lanes so far
   * @param {number} now
   */
  begin(bytes, now) {
    this.windowBytes = bytes;
    this.windowAt = now;
  }

  /**
   * Take note of the bytes sent so far, and change the count at the end of a window.
   * @param {number} bytes
   * @param {number} now
   */
  sent(bytes, now) {
    const took = now - this.windowAt;
    if (took < WINDOW_MS) return;
    const speed = (bytes - this.windowBytes) / took;
    if (this.isTrying) this.judge(speed, now);
    else if (now >= this.restUntil) this.add(speed);
    this.begin(bytes, now);
  }

  /** @param {number} speed with one lane fewer */
  add(speed) {
    if (this.count >= MOST_LANES) return;
    this.bestBps = speed;
    this.count += 1;
    this.isTrying = true;
  }

  /**
   * @param {number} speed
   * @param {number} now
   */
  judge(speed, now) {
    this.isTrying = false;
    if (speed >= this.bestBps * PAID) {
      this.add(speed);
      return;
    }
    this.count -= 1;
    this.restUntil = now + REST_MS;
  }

  /**
   * Halve the lanes: the storage asked for less, or a part got no answer.
   * @param {number} now
   */
  shrink(now) {
    // The lanes that fail together count once.
    if (now < this.shrunkUntil) return;
    this.count = Math.max(1, this.count >> 1);
    this.isTrying = false;
    this.shrunkUntil = now + WINDOW_MS;
    this.restUntil = now + REST_MS;
  }
}
