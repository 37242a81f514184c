/** ``<sign-up-proof>``: solves its challenge while the form is filled in, and delays a form that is sent earlier. */

import { define, part } from "#lib/element";
import { wordsOf } from "#lib/words";

class SignUpProof extends HTMLElement {
  connectedCallback() {
    if (this.worker) return;
    this.words = wordsOf(this);
    this.form = this.closest("form");
    this.state = part(this, "state");
    this.worker = new Worker(this.dataset.worker, { type: "module" });
    this.worker.addEventListener("message", ({ data }) => this.solved(data));
    this.worker.addEventListener("error", () => this.show("failed"));
    this.form.addEventListener("submit", (event) => this.onSubmit(event));
    this.show("working");
    this.worker.postMessage({ challenge: this.dataset.challenge, bits: Number(this.dataset.bits) });
  }

  /** @param {string} proof */
  solved(proof) {
    this.worker.terminate();
    this.form.elements.proof.value = proof;
    this.show("done");
    if (this.waiting) this.form.requestSubmit(this.waiting);
  }

  /** @param {SubmitEvent} event */
  onSubmit(event) {
    if (this.form.elements.proof.value) return;
    event.preventDefault();
    this.waiting = event.submitter;
    this.show("waiting");
  }

  /** @param {string} word */
  show(word) {
    this.state.textContent = this.words(word);
  }
}

define("sign-up-proof", SignUpProof);
