/**
 * A chat's socket, kept open: growing pauses, a fresh ticket for every return, and
 * an end where there is nothing to return to.
 */

import { backoff } from "#lib/backoff";

const TICKET_INVALID = 4001;
const BANNED = 4003;
const NO_SUCH_ROOM = 4004;
const TOO_SLOW = 4008;
const STAYED_MS = 5000; // a connection that lasted this long was a good one

export class Connection {
  /**
   * @param {{
   *   url: string, ticket: string, freshTicket: ?(() => Promise<string>),
   *   onFrame: (frame: any) => void, onOpen: (isOpen: boolean) => void, onEnd: (why: "banned" | "gone") => void,
   *   Socket?: typeof WebSocket, now?: () => number, later?: Function, never?: Function, random?: () => number
   * }} options ``freshTicket`` is null for whoever is signed out and only reads
   */
  constructor({
    url, ticket, freshTicket, onFrame, onOpen, onEnd,
    Socket = globalThis.WebSocket, now = () => performance.now(), random = Math.random,
    later = (act, ms) => setTimeout(act, ms), never = (timer) => clearTimeout(timer),
  }) {
    Object.assign(this, { url, ticket, freshTicket, onFrame, onOpen, onEnd, Socket, now, later, never, random });
    this.attempt = 0;
    this.isOver = false;
    this.socket = null;
  }

  get isOpen() {
    return this.socket?.readyState === 1;
  }

  /** @returns {Promise<void>} */
  async open() {
    this.never(this.timer);
    if (this.isOver || this.isOpening || (this.socket && this.socket.readyState < 2)) return;
    this.isOpening = true;
    try {
      const ticket = this.ticket || (await this._newTicket());
      this.ticket = ""; // good for one connection
      if (!this.isOver) this._connect(ticket);
    } catch (error) {
      if ([401, 403, 404].includes(error.status)) this.freshTicket = null; // signed out meanwhile: one may still read
      this._comeBack();
    } finally {
      this.isOpening = false;
    }
  }

  close() {
    this.isOver = true;
    this.never(this.timer);
    this.socket?.close();
  }

  /**
   * @param {object} frame
   * @returns {boolean} whether it was handed to an open socket
   */
  send(frame) {
    if (!this.isOpen) return false;
    this.socket.send(JSON.stringify(frame));
    return true;
  }

  async _newTicket() {
    return this.freshTicket ? await this.freshTicket() : "";
  }

  /** @param {string} ticket */
  _connect(ticket) {
    const socket = new this.Socket(ticket ? `${this.url}?ticket=${encodeURIComponent(ticket)}` : this.url);
    this.socket = socket;
    this.openedAt = Infinity;
    socket.addEventListener("open", () => {
      this.openedAt = this.now();
      this.onOpen(true);
    });
    socket.addEventListener("message", ({ data }) => this.onFrame(JSON.parse(data)));
    socket.addEventListener("close", ({ code }) => this._onClose(code));
  }

  /** @param {number} code */
  _onClose(code) {
    this.onOpen(false);
    if (this.isOver) return undefined;
    if (code === NO_SUCH_ROOM) return this._end("gone");
    if (code === BANNED) return this._onBan();
    if (this.now() - this.openedAt > STAYED_MS && code !== TICKET_INVALID && code !== TOO_SLOW) this.attempt = 0;
    return this._comeBack();
  }

  /** Whoever may not speak may read, as anyone who is signed out. */
  _onBan() {
    const wasSignedIn = this.freshTicket !== null;
    this.freshTicket = null;
    this.onEnd("banned");
    if (wasSignedIn) this._comeBack();
    else this.isOver = true;
  }

  /** @param {"gone"} why */
  _end(why) {
    this.isOver = true;
    this.onEnd(why);
  }

  _comeBack() {
    this.never(this.timer);
    this.timer = this.later(() => this.open(), backoff(this.attempt, { first: 500, most: 20_000, random: this.random }));
    this.attempt += 1;
  }
}
