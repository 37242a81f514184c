/** *Save*: the lists of a person open in place, in the dialog that the link names. */

document.addEventListener("click", (event) => {
  const link = /** @type {Element} */ (event.target).closest("[data-save]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  const dialog = document.getElementById(link.dataset.save);
  event.preventDefault();
  dialog.querySelector("[data-part=lists]").dispatchEvent(new Event("open-lists"));
  dialog.showModal();
});

document.addEventListener("click", (event) => {
  // A click beside the dialog meets the dialog itself.
  if (event.target instanceof HTMLDialogElement && event.target.matches(".save-dialog")) event.target.close();
});
