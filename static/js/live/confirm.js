/**
 * Ask in a dialog before something that cannot be undone. Without JavaScript
 * the link leads to a page that asks; a form that makes something new just does.
 */

/** @param {string} id */
function ask(id) {
  const dialog = document.getElementById(id);
  dialog?.showModal();
  return Boolean(dialog);
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("[data-confirm]");
  if (link && !event.ctrlKey && !event.metaKey && ask(link.dataset.confirm)) event.preventDefault();
});

document.addEventListener("submit", (event) => {
  const id = event.target.dataset.confirmSubmit;
  if (id && ask(id)) event.preventDefault();
});
