/**
 * ``<stream-key>``: makes a stream key without leaving the page. The server shows a
 * key once and keeps only its digest, so this tab keeps it until it is closed or the
 * person hides it: a reload or another language neither loses the key nor makes a new one.
 */

import { call } from "#lib/api";
import { define, part } from "#lib/element";

const KEPT = "stream-key";

class StreamKey extends HTMLElement {
  connectedCallback() {
    if (this.leaving) return;
    this.leaving = new AbortController();
    // On the document, behind live/confirm.js: a form that was held back for its dialog says so there.
    const { signal } = this.leaving;
    document.addEventListener("submit", (event) => event.target.matches("[data-makes-key]") && this.onSubmit(event), { signal });
    part(this, "hide").addEventListener("click", () => this.forget());
    const kept = sessionStorage.getItem(KEPT);
    if (kept && kept.startsWith(`${this.dataset.keyId}|`)) this.show(kept.slice(kept.indexOf("|") + 1));
    else sessionStorage.removeItem(KEPT); // another window made a newer key
  }

  disconnectedCallback() {
    this.leaving.abort();
  }

  /** @param {SubmitEvent} event */
  async onSubmit(event) {
    const isAnsweredNo = /** @type {?HTMLButtonElement} */ (event.submitter)?.formMethod === "dialog";
    if (event.defaultPrevented || isAnsweredNo) return;
    event.preventDefault();
    event.target.closest("dialog")?.close();
    try {
      const made = await call("POST", `live/${this.dataset.username}/stream-key/`);
      this.keep(made);
    } catch (error) {
      const problem = part(this, "problem");
      problem.textContent = error.message || problem.dataset.unknown;
      problem.hidden = false;
    }
  }

  /** @param {{stream_key: string, key_id: string}} made */
  keep({ stream_key, key_id }) {
    this.dataset.keyId = key_id;
    sessionStorage.setItem(KEPT, `${key_id}|${stream_key}`);
    part(this, "problem").hidden = true;
    this.show(stream_key);
    this.scrollIntoView({ block: "center" });
    part(this, "text").focus({ preventScroll: true });
  }

  /** @param {string} key */
  show(key) {
    part(this, "text").value = key;
    part(this, "shown").hidden = false;
    for (const other of this.parentElement.querySelectorAll("[data-without-key]")) other.hidden = true;
  }

  forget() {
    sessionStorage.removeItem(KEPT);
    part(this, "shown").hidden = true;
    part(this, "text").value = "";
  }
}

define("stream-key", StreamKey);
