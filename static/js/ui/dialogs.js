/**
 * Dialogs open by ``data-opens="id"``, close by a click beside them; dropdowns
 * (``<details data-dropdown>``) close like menus do.
 */

document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-opens]");
  if (opener) document.getElementById(opener.dataset.opens)?.showModal();

  if (event.target instanceof HTMLDialogElement && isBeside(event.target, event)) event.target.close();

  for (const dropdown of document.querySelectorAll("details[data-dropdown][open]")) {
    if (!dropdown.contains(event.target)) dropdown.open = false;
  }
});

document.addEventListener("keydown", (event) => {
  const dropdown = event.key === "Escape" && event.target.closest?.("details[data-dropdown][open]");
  if (!dropdown) return;
  dropdown.open = false;
  dropdown.querySelector("summary").focus();
});

/**
 * @param {HTMLDialogElement} dialog
 * @param {MouseEvent} event
 */
function isBeside(dialog, { clientX: x, clientY: y }) {
  const box = dialog.getBoundingClientRect();
  return x < box.left || x > box.right || y < box.top || y > box.bottom;
}
