/** A long text shows its beginning, and the rest when asked. */

import { define, part } from "#lib/element";

class FoldText extends HTMLElement {
  connectedCallback() {
    const text = part(this, "text");
    const button = this.querySelector(".fold");
    if (!text || text.scrollHeight <= text.clientHeight + 2) {
      this.classList.add("is-open");
      return;
    }
    button.hidden = false;
    button.addEventListener("click", () => {
      const isOpen = this.classList.toggle("is-open");
      button.setAttribute("aria-expanded", String(isOpen));
      button.textContent = isOpen ? button.dataset.less : button.dataset.more;
    });
  }
}

define("fold-text", FoldText);
