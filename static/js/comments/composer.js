/** The form of a comment: it grows with its text, counts near the limit, and knows Ctrl+Enter and Escape. */

import { define, part } from "#lib/element";

const COUNT_FROM = 0.9; // of the limit

class CommentComposer extends HTMLElement {
  connectedCallback() {
    this.textarea = this.querySelector("textarea");
    this.counter = part(this, "counter");
    this.maxLength = Number(this.dataset.maxLength);
    this.textarea.addEventListener("input", () => this.show());
    this.textarea.addEventListener("keydown", (event) => this.onKey(event));
    const cancel = part(this, "cancel");
    if (cancel && !cancel.hasAttribute("hx-get")) {
      cancel.addEventListener("click", (event) => {
        event.preventDefault();
        this.remove();
      });
    }
    if (this.classList.contains("is-open")) this.begin();
    this.show();
  }

  /** Put the caret behind the text that is there already. */
  begin() {
    const { textarea } = this;
    textarea.focus();
    textarea.setSelectionRange(textarea.value.length, textarea.value.length);
  }

  show() {
    const { textarea, counter, maxLength } = this;
    const length = [...textarea.value].length; // in letters, as the server counts
    counter.textContent = length >= maxLength * COUNT_FROM ? String(maxLength - length) : "";
    counter.classList.toggle("is-over", length > maxLength);
    if (CSS.supports("field-sizing", "content")) return;
    textarea.style.blockSize = "auto";
    textarea.style.blockSize = `${textarea.scrollHeight + 2}px`;
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    if (event.isComposing) return; // Escape and Enter belong to the input method
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      this.querySelector("form").requestSubmit();
    }
    if (event.key !== "Escape") return;
    event.preventDefault();
    if (!part(this, "cancel")) this.textarea.blur();
    else if (this.textarea.value === this.textarea.defaultValue) part(this, "cancel").click();
  }
}

define("comment-composer", CommentComposer);
