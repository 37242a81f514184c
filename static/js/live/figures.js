/** The figures of a live page that change in place: the viewer count and the time since the start. */

import { define } from "#lib/element";
import { clock } from "#player/timeline";

const locale = () => document.documentElement.lang;

class ViewerCount extends HTMLElement {
  connectedCallback() {
    this.leaving = new AbortController();
    document.addEventListener("viewer-count", ({ detail }) => this.show(detail.count), { signal: this.leaving.signal });
  }

  disconnectedCallback() {
    this.leaving.abort();
  }

  /** @param {number} count */
  show(count) {
    const number = this.querySelector(".number");
    /** @type {Intl.NumberFormatOptions} */
    const compact = { notation: "compact", maximumFractionDigits: 1 };
    number.textContent = new Intl.NumberFormat(locale(), compact).format(count);
    number.title = new Intl.NumberFormat(locale()).format(count);
  }
}

class UpTime extends HTMLElement {
  connectedCallback() {
    this.leaving = new AbortController();
    document.addEventListener("live-state", ({ detail }) => this.begin(detail.started_at), { signal: this.leaving.signal });
    this.begin(this.querySelector("time").dateTime);
  }

  disconnectedCallback() {
    this.leaving.abort();
    clearInterval(this.timer);
  }

  /** @param {?string} startedAt */
  begin(startedAt) {
    clearInterval(this.timer);
    const since = Date.parse(startedAt ?? "");
    this.hidden = Number.isNaN(since);
    if (this.hidden) return;
    const time = this.querySelector("time");
    time.dateTime = startedAt;
    time.title = new Date(since).toLocaleString(locale());
    const show = () => (time.textContent = clock((Date.now() - since) / 1000));
    show();
    this.timer = setInterval(show, 1000);
  }
}

define("viewer-count", ViewerCount);
define("up-time", UpTime);
