/** Like at once, and undo it if the server refuses. */

import { ApiError, call } from "#lib/api";
import { define } from "#lib/element";
import { toast } from "#ui/toast";

class LikeButton extends HTMLElement {
  connectedCallback() {
    this.button = this.querySelector("button");
    this.count = this.querySelector(".number");
    this.button.addEventListener("click", () => this.toggle());
  }

  get isLiked() {
    return this.button.getAttribute("aria-pressed") === "true";
  }

  /** Show the other state at once and send it after the last one: two requests could change places. */
  toggle() {
    const wants = !this.isLiked;
    this.show(wants);
    this.sending = (this.sending ?? Promise.resolve()).then(() => this.send(wants));
  }

  /** @param {boolean} wants */
  async send(wants) {
    try {
      await call(wants ? "PUT" : "DELETE", `videos/${this.dataset.video}/like/`);
    } catch (error) {
      if (this.isLiked === wants) this.show(!wants);
      if (error instanceof ApiError) toast(error.message);
    }
  }

  /** @param {boolean} liked */
  show(liked) {
    this.button.setAttribute("aria-pressed", String(liked));
    const exact = Number(this.count.title.replace(/\D/g, "")) + (liked ? 1 : -1);
    const locale = document.documentElement.lang;
    this.count.title = new Intl.NumberFormat(locale).format(Math.max(0, exact));
    /** @type {Intl.NumberFormatOptions} */
    const compact = { notation: "compact", maximumFractionDigits: 1 };
    this.count.textContent = new Intl.NumberFormat(locale, compact).format(Math.max(0, exact));
  }
}

define("like-button", LikeButton);
