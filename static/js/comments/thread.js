/**
 * Additions to htmx: sentences of the server as toasts, forms that return with their
 * errors, a question before deleting, replies that unfold.
 */

import { part } from "#lib/element";
import { toast } from "#ui/toast";

const section = () => document.querySelector("[data-comments]");

// A form with errors returns with status 422: it is a response to show, not a failure.
document.addEventListener("htmx:beforeSwap", ({ detail }) => {
  if (detail.xhr.status !== 422) return;
  detail.shouldSwap = true;
  detail.isError = false;
});

document.addEventListener("toast", ({ detail }) => toast(detail.value));
for (const name of ["htmx:sendError", "htmx:responseError", "htmx:timeout"]) {
  document.addEventListener(name, ({ target }) => section()?.contains(/** @type {Node} */ (target)) && toast(section().dataset.lost));
}

document.addEventListener("htmx:confirm", (event) => {
  const { elt, issueRequest } = event.detail;
  if (!elt.hasAttribute("data-sure")) return;
  event.preventDefault();
  const dialog = part(section(), "confirm");
  dialog.returnValue = "";
  dialog.addEventListener("close", () => dialog.returnValue === "yes" && issueRequest(true), { once: true });
  dialog.showModal();
});

document.addEventListener("comment-posted", ({ detail }) => {
  const posted = document.getElementById(`comment-${detail.value}`);
  const replies = posted?.closest("details");
  if (!replies) return;
  replies.hidden = false;
  replies.open = true; // replies that were folded are read now, with the new one
});

// The focus returns to the menu of a comment that was replaced.
document.addEventListener("htmx:afterSwap", ({ detail }) => {
  const id = detail.requestConfig?.elt?.closest?.("[data-comment]")?.dataset.comment;
  if (id && document.activeElement === document.body) document.getElementById(`menu-${id}`)?.focus({ preventScroll: true });
});
