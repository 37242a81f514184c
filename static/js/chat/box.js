/** The field to write in: Enter sends, and text that could not be sent stays. */

import { part } from "#lib/element";
import { lengthOf } from "#chat/text";

const COUNT_FROM = 0.8; // of the longest

export class Box {
  /**
   * @param {HTMLFormElement} form
   * @param {{words: import("#lib/words").Words, longest: number, onPost: (text: string) => boolean}} options
   *   ``onPost`` returns whether it was sent
   */
  constructor(form, { words, longest, onPost }) {
    this.form = form;
    this.words = words;
    this.longest = longest;
    this.onPost = onPost;
    this.field = form.querySelector("textarea");
    this.button = form.querySelector("[type=submit]");
    this.counter = part(form, "counter");
    this.error = part(form, "post-error");
    this.wait = part(form, "wait");
    this.listen();
    this.show();
  }

  listen() {
    this.field.addEventListener("input", () => this.show());
    this.field.addEventListener("keydown", (event) => {
      // Enter also chooses a word while Chinese is typed.
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      this.form.requestSubmit();
    });
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.send();
    });
    this.form.querySelector("[data-emoji-list]")?.addEventListener("click", ({ target }) => {
      const emoji = target.closest("button")?.textContent;
      if (emoji) this.insert(emoji);
    });
  }

  get text() {
    return this.field.value.replace(/\s+/g, " ").trim();
  }

  send() {
    const { text } = this;
    if (!text || this.isWaiting) return;
    if (lengthOf(text) > this.longest) return this.fail(this.words("too-long", { most: this.longest }));
    if (!this.onPost(text)) return this.fail(this.words("not-connected"));
    this.field.value = "";
    this.fail("");
    return this.show();
  }

  /** @param {string} emoji */
  insert(emoji) {
    const { field } = this;
    field.setRangeText(emoji, field.selectionStart, field.selectionEnd, "end");
    field.focus();
    this.show();
  }

  /**
   * Show a sentence beside the box, and put ``text`` back unless something new is written.
   * @param {string} sentence
   * @param {string} [text]
   */
  fail(sentence, text = "") {
    this.error.textContent = sentence;
    this.error.hidden = !sentence;
    if (text && !this.field.value.trim()) this.field.value = text;
    this.show();
  }

  show() {
    const length = lengthOf(this.text);
    const left = this.longest - length;
    this.counter.hidden = length < this.longest * COUNT_FROM;
    this.counter.textContent = String(left);
    this.counter.classList.toggle("is-over", left < 0);
    this.button.disabled = length === 0 || this.isWaiting;
  }

  get isWaiting() {
    return (this.waitsUntil ?? 0) > performance.now();
  }

  /**
   * Forbid sending for ``seconds`` and count down.
   * @param {number} seconds
   */
  holdFor(seconds) {
    clearInterval(this.countdown);
    this.waitsUntil = performance.now() + seconds * 1000;
    const show = () => {
      const left = Math.ceil((this.waitsUntil - performance.now()) / 1000);
      this.wait.hidden = left <= 0;
      this.wait.textContent = left > 0 ? this.words("wait", { n: left }) : "";
      if (left > 0) return;
      clearInterval(this.countdown);
      this.show();
    };
    this.countdown = setInterval(show, 250);
    show();
    this.show();
  }

  /** Lift everything that forbids writing. */
  allow() {
    this.forbid("");
    this.holdFor(0);
  }

  /** @param {string} sentence the reason against writing; empty: writing is allowed */
  forbid(sentence) {
    this.field.disabled = Boolean(sentence);
    this.fail(sentence);
  }
}
