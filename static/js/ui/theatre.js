/** Theatre view: the player over the page's whole width, remembered. */

import { recall, remember } from "#lib/store";

const page = document.querySelector("[data-watch]");

/** @param {boolean} isOn */
function show(isOn) {
  page.classList.toggle("is-theatre", isOn);
}

if (page) {
  show(recall("theatre", false));
  page.addEventListener("player-theatre", () => {
    const isOn = !page.classList.contains("is-theatre");
    remember("theatre", isOn);
    show(isOn);
  });
}
