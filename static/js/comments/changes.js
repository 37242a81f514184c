/**
 * ``<conversation-changes>``: hears what of a conversation is taken away or comes
 * back, and tells the page by ``said-taken`` and ``said-restored`` on the document.
 * While nobody looks it hears nothing; whoever comes back asks what they missed
 * (``said-missed``).
 */

import { define } from "#lib/element";
import { listen } from "#lib/socket";

const NO_SUCH_TARGET = 4004;

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
      onOpen: (socket) => this.catchUp(socket),
      onMessage: ({ type, ...change }) => this.tell(`said-${type}`, change),
      isOver: (code) => code === NO_SUCH_TARGET,
    };
    listen(this.dataset.path, heard, this.looking.signal);
  }

  /** @param {WebSocket} socket */
  catchUp(socket) {
    const comments = [...document.querySelectorAll("[data-comment]")].map((one) => one.dataset.comment);
    if (comments.length) socket.send(JSON.stringify({ type: "showing", comments }));
    if (this.hasBeenOpen) this.tell("said-missed", {});
    this.hasBeenOpen = true;
  }

  /**
   * @param {string} name
   * @param {object} detail
   */
  tell(name, detail) {
    document.dispatchEvent(new CustomEvent(name, { detail }));
  }
}

define("conversation-changes", ConversationChanges);
