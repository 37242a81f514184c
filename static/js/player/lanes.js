/** The lanes of flying messages, without a browser. */

const GAP_PX = 24;

/** @typedef {{freeAt: number, goneAt: number}} Lane  ms on the clock of ``now`` */

export class Lanes {
  /**
   * @param {{count: number, now?: () => number}} options ``now`` in ms
   */
  constructor({ count, now = () => performance.now() }) {
    this.now = now;
    this.resize(count);
  }

  /** @param {number} count */
  resize(count) {
    /** @type {Lane[]} */
    const known = this.lanes ?? [];
    /** @type {Lane[]} */
    this.lanes = Array.from({ length: count }, (_none, at) => known[at] ?? { freeAt: 0, goneAt: 0 });
  }

  /**
   * Return whether nothing flies or stands in a lane.
   * @param {number} at
   */
  isEmpty(at) {
    return !this.lanes[at] || this.lanes[at].goneAt <= this.now();
  }

  /**
   * Keep a lane for a message that stands in it.
   * @param {number} at
   * @param {number} stay_ms
   */
  hold(at, stay_ms) {
    const until = this.now() + stay_ms;
    if (this.lanes[at]) this.lanes[at] = { freeAt: until, goneAt: until };
  }

  /**
   * Return the first lane that a message ``width`` px wide may enter without running into
   * the one before it; -1 when all are taken: too many to read, so it is left out.
   * @param {{width: number, room: number, flight_ms: number}} message ``room``: the width of the frames
   */
  take({ width, room, flight_ms }) {
    const now = this.now();
    const speed = (room + width) / flight_ms; // px a ms: longer ones are faster
    const arrivesAt = now + room / speed;
    const at = this.lanes.findIndex((lane) => lane.freeAt <= now && lane.goneAt <= arrivesAt);
    if (at < 0) return -1;
    this.lanes[at] = { freeAt: now + (width + GAP_PX) / speed, goneAt: now + flight_ms };
    return at;
  }
}
