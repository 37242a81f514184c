/**
 * Danmaku of a video, read in buckets of fixed length, so that all viewers request the
 * same addresses. Without a browser.
 *
 * @typedef {{id: string, offset_ms: number, text: string, mode: string, color: string, kind?: string, isOwn?: boolean}} Flying
 */

const AGAIN_MS = 8000; // the bucket that plays is read again this often, for new messages
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
    /** @type {Map<string, ?Flying>} removed messages, which a cache may still deliver; null: not read here */
    this.removed = new Map();
  }

  /** @param {number} seconds */
  numberOf(seconds) {
    return Math.floor(seconds / this.size_s);
  }

  /**
   * Return whether the bucket of ``seconds`` was read, or could not be read.
   * @param {number} seconds
   */
  has(seconds) {
    return this.known.get(this.numberOf(seconds))?.isRead ?? false;
  }

  /**
   * Read the bucket of ``seconds`` unless it is fresh, and the next one near its end.
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
    // It counts as read from now on, so that a failure is not repeated at once.
    const bucket = { flying: known?.flying ?? [], readAt: now, isRead: known?.isRead ?? false };
    this._keep(number, bucket);
    const read = await this.read(number * this.size_s, (number + 1) * this.size_s).catch(/** @returns {?Flying[]} */ () => null);
    bucket.isRead = true;
    if (!read) return;
    const ids = new Set(read.map((one) => one.id));
    // The viewer's own messages are shown before a cache has them.
    const flying = [...read, ...bucket.flying.filter((one) => one.isOwn && !ids.has(one.id))];
    bucket.flying = flying.filter((one) => !this.removed.has(one.id));
  }

  /**
   * @param {number} number
   * @param {{flying: Flying[], readAt: number, isRead: boolean}} bucket
   */
  _keep(number, bucket) {
    this.known.delete(number); // the bucket that was requested last stands last
    this.known.set(number, bucket);
    if (this.known.size > KEPT) this.known.delete(this.known.keys().next().value);
  }

  /**
   * Return the messages that are due when the playhead moves from ``from_s`` (excluded) to ``to_s``.
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

  /** Mark all buckets as old, so that they are read again when they are needed. */
  refresh() {
    for (const bucket of this.known.values()) bucket.readAt = -Infinity;
  }

  /**
   * Restore a message that was removed here; one that was never read comes with the next reading.
   * @param {string} id
   */
  restore(id) {
    const one = this.removed.get(id);
    this.removed.delete(id);
    if (one) this.known.get(this.numberOf(one.offset_ms / 1000))?.flying.push(one);
  }

  /** @param {string} id */
  remove(id) {
    const flying = [...this.known.values()].flatMap((bucket) => bucket.flying);
    this.removed.set(id, flying.find((one) => one.id === id) ?? this.removed.get(id) ?? null);
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
