/** The bell: how many notifications are new, live; a click shows the newest in place. */

import { call } from "#lib/api";
import { backoff, sleep } from "#lib/backoff";
import { define, part } from "#lib/element";
import { wordsOf } from "#lib/words";

const NOBODY = 4001;
const MOST = 99;
const LONGEST_PAUSE_MS = 60_000;

class NotificationBell extends HTMLElement {
  connectedCallback() {
    this.words = wordsOf(this);
    this.gone = new AbortController();
    const { signal } = this.gone;
    const link = part(this, "link");
    link.setAttribute("aria-haspopup", "dialog");
    link.addEventListener("click", (event) => this.open(event), { signal });
    this.listen(signal);
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
    } catch (error) {
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

  /** @param {AbortSignal} signal */
  async listen(signal) {
    for (let failures = 0; !signal.aborted; failures += 1) {
      const outcome = await this.hear(signal);
      if (outcome === "nobody") return;
      if (outcome === "heard") failures = 0;
      try {
        await sleep(backoff(failures, { first: 2000, most: LONGEST_PAUSE_MS }), signal);
      } catch {
        return;
      }
    }
  }

  /**
   * @param {AbortSignal} signal
   * @returns {Promise<"nobody" | "heard" | "silent">}
   */
  hear(signal) {
    return new Promise((resolve) => {
      const scheme = location.protocol === "https:" ? "wss" : "ws";
      const socket = new WebSocket(`${scheme}://${location.host}/ws/notifications/`);
      let outcome = "silent";
      socket.addEventListener("message", ({ data }) => {
        const news = JSON.parse(data);
        if (news.type !== "unread") return;
        outcome = "heard";
        this.show(news.count);
      });
      socket.addEventListener("close", ({ code }) => resolve(code === NOBODY ? "nobody" : outcome));
      signal.addEventListener("abort", () => socket.close(), { once: true });
    });
  }
}

define("notification-bell", NotificationBell);
