/**
 * ``<new-comments data-url="…">``: adds the comments of others while people talk together, before
 * and during a premiere. A hidden page asks nothing, and nothing on the page moves but the list.
 */

import { define } from "#lib/element";

const EVERY_MS = 8000;
const SPREAD_MS = 4000;

class NewComments extends HTMLElement {
  connectedCallback() {
    this.wait();
  }

  disconnectedCallback() {
    clearTimeout(this.timer);
  }

  wait() {
    this.timer = setTimeout(() => this.look(), EVERY_MS + Math.random() * SPREAD_MS);
  }

  async look() {
    if (!document.hidden) await this.read().catch(() => {}); // the next look may succeed
    if (this.isConnected) this.wait();
  }

  async read() {
    const response = await fetch(`${this.dataset.url}?order=newest`, { headers: { "HX-Request": "true" } });
    if (!response.ok) return;
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    const list = document.getElementById("comment-list");
    const unseen = [...page.querySelectorAll("#comment-list > .comment-item")].filter((item) => !document.getElementById(item.id));
    for (const item of unseen.reverse()) {
      const added = document.importNode(item, true);
      list.prepend(added);
      /** @type {any} */ (window).htmx?.process(added);
    }
    const [shown, counted] = [document, page].map((root) => root.querySelector("#comments-title"));
    if (shown && counted) shown.replaceChildren(...document.importNode(counted, true).childNodes);
  }
}

define("new-comments", NewComments);
