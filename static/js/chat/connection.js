/**
 * The socket of a chat. It reconnects with growing pauses and a fresh ticket each time,
 * and ends when the room is gone.
 */

import { backoff } from "#lib/backoff";

const TICKET_INVALID = 4001;
const BANNED = 4003;
const NO_SUCH_ROOM = 4004;
const TOO_SLOW = 4008;
const SILENT = 1006; // as browsers call a connection that was lost
const STAYED_MS = 5000; // a connection that lasted this long was a good one
const BELIEVED_MS = 15_000; // so long after a ban was lifted, a server that still knows of it is behind
const SILENT_MS = 20_000; // a server speaks every eight seconds at least: this one is no longer there

export class Connection {
  /**
   * @param {{
   *   url: string, ticket: string, freshTicket: ?((isSuspect: boolean) => Promise<string>),
   *   onFrame: (frame: any) => void, onOpen: (isOpen: boolean) => void, onEnd: (why: "banned" | "gone") => void,
   *   Socket?: typeof WebSocket, now?: () => number, later?: Function, never?: Function, random?: () => number
   * }} options ``freshTicket`` is null for a reader who is signed out; it is told whether a connection
   *   of this page died without a close and the server has not answered since, so that others may be dead as well
   */
  constructor({
    url, ticket, freshTicket, onFrame, onOpen, onEnd,
    Socket = globalThis.WebSocket, now = () => performance.now(), random = Math.random,
    later = (/** @type {() => void} */ act, /** @type {number} */ ms) => setTimeout(act, ms),
    never = (/** @type {number} */ timer) => clearTimeout(timer),
  }) {
    this.url = url;
    this.ticket = ticket;
    this.freshTicket = freshTicket;
    this.onFrame = onFrame;
    this.onOpen = onOpen;
    this.onEnd = onEnd;
    this.Socket = Socket;
    this.now = now;
    this.later = later;
    this.never = never;
    this.random = random;
    this.newTicket = freshTicket;
    this.attempt = 0;
    this.allowedAt = -Infinity;
    this.isOver = false;
    this.isSuspect = false;
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
    this._unwatch();
    this.socket?.close();
  }

  /** Come back with a ticket at once: a ban was lifted. */
  readmit() {
    this.allowedAt = this.now();
    if (this.freshTicket || !this.newTicket) return;
    this.freshTicket = this.newTicket;
    this.isOver = false;
    this.attempt = 0;
    const { socket } = this;
    this.socket = null;
    this._unwatch();
    socket?.close();
    this.open();
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
    if (!this.freshTicket) return "";
    try {
      const ticket = await this.freshTicket(this.isSuspect);
      this.isSuspect = false;
      return ticket;
    } catch (error) {
      // A refusal has come through as well; asking a busy server several times over would keep it busy.
      if (error.status) this.isSuspect = false;
      throw error;
    }
  }

  /** @param {string} ticket */
  _connect(ticket) {
    const socket = new this.Socket(ticket ? `${this.url}?ticket=${encodeURIComponent(ticket)}` : this.url);
    this.socket = socket;
    this.openedAt = Infinity;
    // Events of a socket that was given up are ignored.
    const isOurs = () => this.socket === socket;
    this._watch(socket);
    socket.addEventListener("open", () => {
      if (!isOurs()) return;
      this.openedAt = this.now();
      this.isSuspect = false;
      this._watch(socket);
      this.onOpen(true);
    });
    socket.addEventListener("message", ({ data }) => {
      if (!isOurs()) return;
      this._watch(socket);
      this.onFrame(JSON.parse(data));
    });
    socket.addEventListener("close", ({ code }) => isOurs() && this._onClose(code));
  }

  /**
   * Give up a socket after ``SILENT_MS`` without a frame: a network that loses a
   * connection tells nobody, and the close event would come after minutes.
   * @param {WebSocket} socket
   */
  _watch(socket) {
    this.heardAt = this.now();
    if (this.watcher) return;
    const look = () => {
      this.watcher = null;
      if (this.socket !== socket || socket.readyState > 1) return;
      const left_ms = this.heardAt + SILENT_MS - this.now();
      if (left_ms > 0) {
        this.watcher = this.later(look, left_ms);
        return;
      }
      this.socket = null;
      // One that never opened tells of a busy server rather than of dead connections.
      if (socket.readyState === 1) this.isSuspect = true;
      socket.close();
      this._onClose(SILENT);
    };
    this.watcher = this.later(look, SILENT_MS);
  }

  _unwatch() {
    this.never(this.watcher);
    this.watcher = null;
  }

  /** @param {number} code */
  _onClose(code) {
    this._unwatch();
    this.onOpen(false);
    if (this.isOver) return undefined;
    if (code === NO_SUCH_ROOM) return this._end("gone");
    if (code === BANNED) return this._onBan();
    if (this.now() - this.openedAt > STAYED_MS && code !== TICKET_INVALID && code !== TOO_SLOW) this.attempt = 0;
    return this._comeBack();
  }

  /** Go on reading without a ticket, as a reader who is signed out. */
  _onBan() {
    if (this.freshTicket && this.now() - this.allowedAt < BELIEVED_MS) {
      this._comeBack();
      return;
    }
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
