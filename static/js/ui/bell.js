/** The bell: the number of new notifications, live, and a list of the newest. */

import { call } from "#lib/api";
import { define, part } from "#lib/element";
import { listen } from "#lib/socket";
import { wordsOf } from "#lib/words";

const NOBODY = 4001;
const MOST = 99;

class NotificationBell extends HTMLElement {
  connectedCallback() {
    this.words = wordsOf(this);
    this.gone = new AbortController();
    const { signal } = this.gone;
    const link = part(this, "link");
    link.setAttribute("aria-haspopup", "dialog");
    link.addEventListener("click", (event) => this.open(event), { signal });
    const heard = {
      onMessage: (/** @type {any} */ news) => news.type === "unread" && this.show(news.count),
      isOver: (/** @type {number} */ code) => code === NOBODY,
    };
    listen("/ws/notifications/", heard, signal);
  }

  disconnectedCallback() {
    this.gone.abort();
  }

  /** @param {MouseEvent} event */
  async open(event) {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    const menu = part(this, "menu");
    menu.togglePopover();
    if (!menu.matches(":popover-open")) return;
    try {
      const answer = await fetch("/notifications/recent/", { signal: this.gone.signal });
      if (!answer.ok || answer.redirected) throw new TypeError("not the list");
      menu.innerHTML = await answer.text();
      this.show((await call("POST", "notifications/read/", {})).unread_count);
    } catch {
      if (!this.gone.signal.aborted && !menu.children.length) menu.textContent = this.words("failed");
    }
  }

  /** @param {number} count */
  show(count) {
    const badge = part(this, "count");
    badge.hidden = count === 0;
    badge.textContent = count > MOST ? `${MOST}+` : String(count);
    part(this, "link").setAttribute("aria-label", count ? this.words("some", { n: count }) : this.words("none"));
  }
}

define("notification-bell", NotificationBell);
