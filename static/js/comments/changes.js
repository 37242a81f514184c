/**
 * ``<conversation-changes>``: publishes removed and restored parts of a conversation by
 * ``text-removed`` and ``text-restored`` on the document. A hidden page has no socket, and when
 * it is shown again, ``text-missed`` asks the page to read anew.
 */

import { define } from "#lib/element";
import { listen } from "#lib/socket";

const NO_SUCH_TARGET = 4004;
/** @type {Record<string, string>} */
const EVENTS = { taken: "text-removed", restored: "text-restored" }; // by the types of the socket

class ConversationChanges extends HTMLElement {
  connectedCallback() {
    this.leaving = new AbortController();
    document.addEventListener("visibilitychange", () => this.follow(), { signal: this.leaving.signal });
    this.follow();
  }

  disconnectedCallback() {
    this.leaving.abort();
    this.looking?.abort();
  }

  follow() {
    this.looking?.abort();
    if (document.hidden) return;
    this.looking = new AbortController();
    const heard = {
      onOpen: (/** @type {WebSocket} */ socket) => this.catchUp(socket),
      onMessage: (/** @type {any} */ { type, ...change }) => EVENTS[type] && this.dispatch(EVENTS[type], change),
      isOver: (/** @type {number} */ code) => code === NO_SUCH_TARGET,
    };
    listen(this.dataset.path, heard, this.looking.signal);
  }

  /** @param {WebSocket} socket */
  catchUp(socket) {
    const comments = [...document.querySelectorAll("[data-comment]")].map((one) => one.dataset.comment);
    if (comments.length) socket.send(JSON.stringify({ type: "showing", comments }));
    if (this.hasBeenOpen) this.dispatch("text-missed", {});
    this.hasBeenOpen = true;
  }

  /**
   * @param {string} name
   * @param {object} detail
   */
  dispatch(name, detail) {
    document.dispatchEvent(new CustomEvent(name, { detail }));
  }
}

define("conversation-changes", ConversationChanges);
