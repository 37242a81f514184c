/** In the share dialog: a link that begins where the player stands. */

import { part } from "#lib/element";
import { clock } from "#player/timeline";

const dialog = document.getElementById("share");
const box = dialog?.querySelector("[data-start-at]");

if (box) {
  const link = dialog.querySelector("input[data-part=text]");
  const at = () => Math.floor(document.querySelector("[data-player]")?.currentTime ?? 0);
  const show = () => {
    part(dialog, "start").textContent = clock(at());
    link.value = box.checked && at() ? `${box.dataset.url}?t=${at()}` : box.dataset.url;
  };
  box.addEventListener("change", show);
  document.querySelector('[data-opens="share"]').addEventListener("click", show);
}
