/**
 * ``<chat-room>``: a stream's chat. It publishes the events of the room on the
 * document: ``chat-message``, ``chat-removed``, ``viewer-count``,
 * ``live-status``, ``stream-news`` and ``chat-connection``.
 */

import { Box } from "#chat/box";
import { Connection } from "#chat/connection";
import { Lines } from "#chat/lines";
import { Moderation } from "#chat/moderation";
import { Room } from "#chat/room";
import { call } from "#lib/api";
import { define, part } from "#lib/element";
import { wordsOf } from "#lib/words";

const CONFIRM_MS = 10_000;
const LOST_MS = 1500;
const TICKET_MS = 4000;
const MOST_CONNECTIONS = 6; // of a browser to one server
const MODES = ["slow_s", "followers_only", "emotes_only"];

/**
 * Return a new ticket. A browser may ask through an idle connection that is dead, and
 * would wait for minutes: so it asks through several at once, and gives up after ``TICKET_MS``.
 * @param {string} username
 * @param {number} count
 * @returns {Promise<string>}
 */
async function freshTicket(username, count) {
  const signal = AbortSignal.timeout(TICKET_MS);
  const ask = () => call("POST", `live/${username}/chat/ticket/`, undefined, { signal });
  try {
    const answer = await Promise.any(Array.from({ length: count }, ask));
    return answer.ticket;
  } catch (error) {
    // Those on dead connections time out; an answer of the server says more.
    const { errors } = /** @type {AggregateError} */ (error);
    throw errors.find((one) => one.status) ?? errors[0];
  }
}

class ChatRoom extends HTMLElement {
  connectedCallback() {
    if (this.room) return;
    this.words = wordsOf(this);
    this.room = new Room();
    /** @type {Map<string, {text: string, line: HTMLElement, timer: number}>} own words on their way, by nonce */
    this.pending = new Map();
    /** @type {HTMLElement[]} new lines of the frame that is being shown */
    this.arriving = [];
    this.badges = this.querySelector("template[data-badges]").content;
    this.lines = new Lines({
      scroll: part(this, "scroll"),
      log: part(this, "log"),
      pill: part(this, "pill"),
      words: this.words,
      badge: (name) => this.badges.querySelector(`[data-badge="${CSS.escape(name)}"]`)?.cloneNode(true) ?? null,
      canModerate: () => this.canModerate,
      canReport: (username) => "me" in this.dataset && username !== this.dataset.me,
    });
    const form = /** @type {?HTMLFormElement} */ (part(this, "form"));
    if (form) this.box = new Box(form, { words: this.words, longest: Number(this.dataset.longest), onPost: (text) => this.post(text) });
    if (this.canModerate) this.moderate();
    this.connect();
  }

  disconnectedCallback() {
    this.connection?.close();
    this.leaving?.abort();
  }

  get canModerate() {
    return "canModerate" in this.dataset;
  }

  connect() {
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const { username, path, ticket } = this.dataset;
    const fresh = (/** @type {boolean} */ isSuspect) => freshTicket(username, isSuspect ? MOST_CONNECTIONS : 1);
    this.connection = new Connection({
      url: `${scheme}://${location.host}${path}`,
      ticket,
      freshTicket: ticket ? fresh : null,
      onFrame: (frame) => this.show(this.room.apply(frame)),
      onOpen: (isOpen) => this.onOpen(isOpen),
      onEnd: (why) => this.onEnd(why),
    });
    this.connection.open();
    // A connection that waits for its turn need not, once there is a network or someone who looks.
    this.leaving = new AbortController();
    const { signal } = this.leaving;
    window.addEventListener("online", () => this.connection.open(), { signal });
    document.addEventListener("visibilitychange", () => !document.hidden && this.connection.open(), { signal });
  }

  moderate() {
    this.moderation = new Moderation({
      log: part(this, "log"),
      menu: part(this, "line-menu"),
      modes: part(this, "modes"),
      send: (frame) => this.connection.send(frame),
      hold: (isHeld) => this.lines.hold(isHeld),
    });
  }

  /** @param {boolean} isOpen */
  onOpen(isOpen) {
    if (isOpen) this.room.reconnect();
    this.classList.toggle("is-open", isOpen);
    this.onReach(isOpen);
  }

  /** @param {boolean} isOpen whether messages of others arrive: the server may have lost its own connection */
  onReach(isOpen) {
    clearTimeout(this.lostTimer);
    const state = part(this, "connection");
    if (isOpen) {
      state.hidden = true;
      part(state, "sentence").textContent = this.words("reconnecting");
    }
    // A short interruption is not shown.
    else this.lostTimer = setTimeout(() => (state.hidden = false), LOST_MS);
    this.dispatch("chat-connection", { isOpen });
  }

  /** @param {"banned" | "gone"} why */
  onEnd(why) {
    clearTimeout(this.lostTimer);
    this.box?.forbid(this.words(why));
  }

  /** @param {import("#chat/room").Change[]} changes */
  show(changes) {
    for (const change of changes) {
      const line = this.take(change);
      if (line) this.arriving.push(line);
    }
    this.lines.add(this.arriving.splice(0));
  }

  /**
   * @param {import("#chat/room").Change} change
   * @returns {HTMLElement | void} a line to add
   */
  take(change) {
    /** @type {Record<string, () => unknown>} */
    const acts = {
      message: () => this.onMessage(change),
      reset: () => this.onReset(),
      you: () => (this.you = change.you),
      mode: () => this.onMode(change.mode),
      resume: () => this.connection.send({ type: "resume", after: change.after }),
      message_deleted: () => this.onRemoved({ id: change.id }),
      message_restored: () => this.lines.restore(change.message),
      user_cleared: () => this.onRemoved({ username: change.username }),
      user_allowed: () => this.onAllowed(change.username),
      viewers: () => this.dispatch("viewer-count", { count: change.count }),
      broadcast: () => this.dispatch("live-status", change),
      stream: () => this.dispatch("stream-news", change),
      connection: () => this.onReach(change.is_open),
      skipped: () => this.lines.hint(this.words("skipped", { n: change.count })),
      error: () => this.onError(change),
    };
    const made = acts[change.type]?.();
    return made instanceof HTMLElement ? made : undefined;
  }

  /** @param {import("#chat/room").Change} change */
  onMessage({ message, isNew }) {
    part(this, "quiet")?.remove();
    const own = message.nonce ? this.settle(message.nonce) : null;
    if (isNew) this.dispatch("chat-message", { id: message.id, username: message.user.username, text: message.text, isOwn: this.isMe(message.user) });
    const line = this.lines.line(message);
    if (!own?.line.isConnected) return line;
    own.line.remove();
    // At its place in the room: behind the messages of others, also those of the same tick.
    this.lines.add(this.arriving.splice(0));
    this.lines.log.append(line);
    return undefined;
  }

  onReset() {
    this.lines.clear();
    for (const { line } of this.pending.values()) this.lines.add([line]);
  }

  /** @param {{username: string}} user */
  isMe(user) {
    return user.username === this.dataset.me;
  }

  /** @param {{id?: string, username?: string}} removed a message, or all of a person */
  onRemoved(removed) {
    if (removed.id) this.lines.remove(removed.id);
    else this.lines.clearUser(removed.username);
    this.dispatch("chat-removed", removed);
  }

  /**
   * Show that a moderator lifted a sanction.
   * @param {string} username
   * @returns {HTMLElement | undefined} a line to add
   */
  onAllowed(username) {
    if (!this.box || !this.isMe({ username })) return undefined;
    this.box.allow();
    this.connection.readmit();
    return this.lines.hint(this.words("allowed"));
  }

  /** @param {Record<string, any>} mode */
  onMode(mode) {
    for (const name of MODES) {
      const chip = part(this, `mode-${name}`);
      chip.hidden = !mode[name];
      if (name === "slow_s") chip.querySelector("span").textContent = this.words("slow", { n: mode[name] ?? 0 });
    }
    this.moderation?.showMode(mode);
  }

  /** @param {import("#chat/room").Change} change */
  onError({ code, detail, nonce, retry_after_s: retryAfter }) {
    const own = nonce ? this.settle(nonce) : null;
    own?.line.remove();
    const known = this.words(`error-${code}`, { n: Math.ceil(retryAfter ?? 0) });
    this.box?.fail(known || detail || this.words("not-sent"), own?.text);
    // A refused message does not start the pause of slow mode.
    if (own || retryAfter) this.box?.holdFor(retryAfter ?? 0);
  }

  /**
   * @param {string} text
   * @returns {boolean} whether it is on its way
   */
  post(text) {
    const nonce = Array.from(crypto.getRandomValues(new Uint32Array(2)), (n) => n.toString(36)).join("");
    if (!this.connection.send({ type: "say", text, nonce })) return false;
    const { username = this.dataset.me, display_name: name = this.dataset.name, badges = [] } = this.you ?? {};
    const line = this.lines.line({ user: { username, display_name: name, badges }, text }, { isPending: true });
    const timer = setTimeout(() => this.onSilence(nonce), CONFIRM_MS);
    this.pending.set(nonce, { text, line, timer });
    part(this, "quiet")?.remove();
    this.lines.release(); // the sender sees the new line
    this.lines.add([line]);
    const { slow_s: slow } = this.room.mode;
    if (slow && !this.canModerate) this.box.holdFor(slow);
    return true;
  }

  /** @param {string} nonce */
  settle(nonce) {
    const own = this.pending.get(nonce);
    if (!own) return null;
    clearTimeout(own.timer);
    this.pending.delete(nonce);
    return own;
  }

  /** @param {string} nonce */
  onSilence(nonce) {
    const own = this.settle(nonce);
    if (!own) return;
    own.line.remove();
    this.box.fail(this.words("not-sent"), own.text);
    this.box.holdFor(0); // if it was heard after all, the room says how long to wait
  }

  /**
   * @param {string} name
   * @param {object} detail
   */
  dispatch(name, detail) {
    document.dispatchEvent(new CustomEvent(name, { detail }));
  }
}

define("chat-room", ChatRoom);
