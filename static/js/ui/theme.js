/** Light, dark, or like the system. The choice is a cookie, so the server sends the page in it: no flash. */

import { cookie } from "#lib/api";
import { define } from "#lib/element";

const YEAR_S = 31_536_000;

class ThemeSwitch extends HTMLElement {
  connectedCallback() {
    this.hidden = false;
    this.addEventListener("click", (event) => {
      const button = event.target.closest("[data-theme-choice]");
      if (button) this.choose(button.dataset.themeChoice);
    });
    this.show(cookie("theme"));
  }

  /** @param {string} theme */
  choose(theme) {
    document.cookie = `theme=${theme}; path=/; max-age=${theme ? YEAR_S : 0}; samesite=lax`;
    if (theme) document.documentElement.dataset.theme = theme;
    else delete document.documentElement.dataset.theme;
    this.show(theme);
  }

  /** @param {string} theme */
  show(theme) {
    for (const button of this.querySelectorAll("[data-theme-choice]")) {
      button.setAttribute("aria-pressed", String(button.dataset.themeChoice === theme));
    }
  }
}

define("theme-switch", ThemeSwitch);
