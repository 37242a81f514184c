/**
 * The meaning of the frames of a room, in order and each once, without a browser.
 *
 * A connection begins with ``hello``. The first is the beginning; a later one is
 * answered with ``resume``, and then either ticks fill the gap or another
 * ``hello`` says that too much was missed, which is a new beginning.
 */

const REMEMBERED = 1000;

/**
 * @typedef {{id?: string, seq?: number, user: {username: string, display_name: string, badges: string[]}, text: string, sent_at?: string, nonce?: string}} Message
 * @typedef {{type: string} & Record<string, any>} Change
 */

export class Room {
  constructor() {
    this.seq = 0;
    /** @type {Record<string, any>} */
    this.mode = {};
    this.you = null;
    this.hasBegun = false;
    this.isResuming = false;
    /** @type {Set<string>} */
    this.known = new Set();
  }

  /** A new connection: its first ``hello`` may be answered with ``resume``. */
  reconnect() {
    this.isResuming = false;
  }

  /**
   * @param {Change} frame
   * @returns {Change[]} the changes to show, in order
   */
  apply(frame) {
    if (frame.type === "hello") return this._onHello(frame);
    if (frame.type === "tick") return this._onTick(frame);
    if (frame.type === "error") return [{ ...frame, type: "error" }];
    return [];
  }

  /** @param {Change} frame */
  _onHello(frame) {
    this.you = frame.you ?? null;
    this.mode = frame.mode ?? {};
    /** @type {Change[]} */
    const greeting = [{ type: "you", you: this.you }, { type: "mode", mode: this.mode }];
    // The size of the audience comes first: the page spreads its requests by it.
    if (frame.viewer_count !== undefined) greeting.push({ type: "viewers", count: frame.viewer_count });
    // A broadcast that began or ended before the socket was open was published to others.
    if (frame.status) greeting.push({ type: "broadcast", status: frame.status });
    if (frame.title !== undefined) greeting.push({ type: "stream", title: frame.title, category: frame.category });
    const canResume = this.hasBegun && !this.isResuming && frame.seq >= this.seq;
    if (canResume && frame.seq === this.seq) return greeting;
    if (canResume) {
      this.isResuming = true;
      return [...greeting, { type: "resume", after: this.seq }];
    }
    this.hasBegun = true;
    this.isResuming = false;
    this.seq = frame.seq;
    this.known.clear();
    const changes = (frame.history ?? []).flatMap((/** @type {Change} */ event) => this._onEvent(event, false));
    return [...greeting, { type: "reset" }, ...changes];
  }

  /** @param {Change} frame */
  _onTick(frame) {
    this.isResuming = false;
    const changes = frame.events.flatMap((/** @type {Change} */ event) => this._onEvent(event, true));
    this.seq = Math.max(this.seq, frame.seq ?? 0);
    if (frame.skipped) changes.push({ type: "skipped", count: frame.skipped });
    return changes;
  }

  /**
   * @param {Change} event
   * @param {boolean} isNew said now, and not before this connection
   * @returns {Change[]}
   */
  _onEvent(event, isNew) {
    if (event.type === "message") return this._remember(event.id) ? [{ type: "message", message: event, isNew }] : [];
    if (event.type === "mode") {
      const { type: _type, seq: _seq, ...mode } = event;
      this.mode = { ...this.mode, ...mode };
      return [{ type: "mode", mode: this.mode }];
    }
    return [{ ...event }];
  }

  /**
   * @param {string} id
   * @returns {boolean} whether it was not known
   */
  _remember(id) {
    if (this.known.has(id)) return false;
    this.known.add(id);
    if (this.known.size > REMEMBERED) this.known.delete(this.known.values().next().value);
    return true;
  }
}
