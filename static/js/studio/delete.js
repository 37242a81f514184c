/** Ask in a dialog before deleting; without JavaScript the link leads to a page that asks. */

import { part } from "#lib/element";
import { fill } from "#lib/words";

const dialog = document.getElementById("delete");

document.addEventListener("click", (event) => {
  const link = event.target.closest("[data-delete]");
  if (!link || !dialog || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  const title = part(dialog, "title");
  title.textContent = fill(title.dataset.pattern, { title: link.dataset.delete });
  part(dialog, "form").action = link.href;
  dialog.showModal();
});
