/**
 * What flies, read in buckets of fixed length, so that everybody asks for the same
 * addresses: nothing here knows a browser.
 *
 * @typedef {{id: string, offset_ms: number, text: string, mode: string, color: string, kind?: string, isOwn?: boolean}} Flying
 */

const AGAIN_MS = 8000; // the bucket that plays is read again this often, for what was just said
const AHEAD_S = 10; // the next one is read this long before it plays
const KEPT = 8;

export class Buckets {
  /**
   * @param {{size_s: number, read: (from_s: number, to_s: number) => Promise<Flying[]>, now?: () => number}} options
   *   ``now`` in ms
   */
  constructor({ size_s, read, now = () => performance.now() }) {
    this.size_s = size_s;
    this.read = read;
    this.now = now;
    /** @type {Map<number, {flying: Flying[], readAt: number, isRead: boolean}>} */
    this.known = new Map();
    /** @type {Set<string>} what was taken away, whatever a cache on the way still says */
    this.taken = new Set();
  }

  /** @param {number} seconds */
  numberOf(seconds) {
    return Math.floor(seconds / this.size_s);
  }

  /**
   * Whether what flies at ``seconds`` is known, or could not be read.
   * @param {number} seconds
   */
  has(seconds) {
    return this.known.get(this.numberOf(seconds))?.isRead ?? false;
  }

  /**
   * Have what is needed at ``seconds``: the bucket there, fresh, and soon the next.
   * @param {number} seconds
   * @returns {Promise<void>}
   */
  async want(seconds) {
    const number = this.numberOf(seconds);
    const isNearEnd = (number + 1) * this.size_s - seconds < AHEAD_S;
    const wanted = [this._load(number, AGAIN_MS)];
    if (isNearEnd) wanted.push(this._load(number + 1, Infinity));
    await Promise.all(wanted);
  }

  /**
   * @param {number} number
   * @param {number} age_ms read again when older
   */
  async _load(number, age_ms) {
    const known = this.known.get(number);
    const now = this.now();
    if (known && now - known.readAt < age_ms) return;
    // Noted before it is read: a failure waits for its turn like a success.
    const bucket = { flying: known?.flying ?? [], readAt: now, isRead: known?.isRead ?? false };
    this._keep(number, bucket);
    const read = await this.read(number * this.size_s, (number + 1) * this.size_s).catch(() => null);
    bucket.isRead = true;
    if (!read) return;
    const ids = new Set(read.map((one) => one.id));
    // One's own is known before every cache on the way has heard of it.
    const flying = [...read, ...bucket.flying.filter((one) => one.isOwn && !ids.has(one.id))];
    bucket.flying = flying.filter((one) => !this.taken.has(one.id));
  }

  _keep(number, bucket) {
    this.known.delete(number); // what was asked for last stands last
    this.known.set(number, bucket);
    if (this.known.size > KEPT) this.known.delete(this.known.keys().next().value);
  }

  /**
   * What comes up when the playhead moves from one moment (without it) to another.
   * @param {number} from_s
   * @param {number} to_s
   * @returns {Flying[]}
   */
  due(from_s, to_s) {
    const found = [];
    for (let number = this.numberOf(from_s); number <= this.numberOf(to_s); number += 1) {
      const flying = this.known.get(number)?.flying ?? [];
      found.push(...flying.filter((one) => one.offset_ms > from_s * 1000 && one.offset_ms <= to_s * 1000));
    }
    return found.sort((one, other) => one.offset_ms - other.offset_ms);
  }

  /** What is known may be old: it is read again when it is wanted. */
  refresh() {
    for (const bucket of this.known.values()) bucket.readAt = -Infinity;
  }

  /** @param {string} id */
  restore(id) {
    this.taken.delete(id);
  }

  /** @param {string} id */
  remove(id) {
    this.taken.add(id);
    for (const bucket of this.known.values()) bucket.flying = bucket.flying.filter((one) => one.id !== id);
  }

  /** @param {Flying} one */
  add(one) {
    const number = this.numberOf(one.offset_ms / 1000);
    const bucket = this.known.get(number) ?? { flying: [], readAt: -Infinity, isRead: false };
    bucket.flying.push({ ...one, isOwn: true });
    this._keep(number, bucket);
  }
}
