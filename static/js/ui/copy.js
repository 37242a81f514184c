/** A text to take along: selected on focus, copied by its button. */

import { define, part } from "#lib/element";

class CopyText extends HTMLElement {
  connectedCallback() {
    const text = part(this, "text");
    const button = this.querySelector("button");
    const label = button.textContent;
    text.addEventListener("focus", () => text.select());
    button.addEventListener("click", async () => {
      text.select();
      try {
        await navigator.clipboard.writeText(text.value);
      } catch {
        document.execCommand("copy"); // plain HTTP has no clipboard
      }
      button.textContent = this.dataset.done;
      setTimeout(() => (button.textContent = label), 2000);
    });
  }
}

define("copy-text", CopyText);
