/**
 * ``<local-moment>``: a ``datetime-local`` field in the zone of the browser. The server sends and
 * receives UTC, which it also assumes without scripts.
 */

import { define, part } from "#lib/element";
import { fieldValue, momentOf } from "#ui/moments";

class LocalMoment extends HTMLElement {
  connectedCallback() {
    if (this.sent) return;
    this.field = /** @type {HTMLInputElement} */ (this.querySelector("input"));
    this.sent = Object.assign(document.createElement("input"), { type: "hidden", name: this.field.name });
    this.field.removeAttribute("name");
    this.field.after(this.sent);
    const given = this.field.getAttribute("value") ?? "";
    const moment = momentOf(given);
    this.field.value = moment ? fieldValue(moment) : "";
    // As the server gave it until the person edits it: the field has no seconds.
    this.sent.value = moment ? given : "";
    part(this, "zone").textContent = new Intl.DateTimeFormat().resolvedOptions().timeZone;
    this.field.addEventListener("input", () => this.take());
  }

  take() {
    const moment = new Date(this.field.value);
    this.sent.value = Number.isNaN(moment.getTime()) ? "" : moment.toISOString();
  }
}

define("local-moment", LocalMoment);
