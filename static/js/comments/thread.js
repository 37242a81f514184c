/**
 * What htmx leaves to the page: sentences of the server as toasts, forms that come
 * back with what is wrong, a question before deleting, replies that unfold.
 */

import { part } from "#lib/element";
import { toast } from "#ui/toast";

const section = () => document.querySelector("[data-comments]");

// A form that will do comes back as 422: it is the answer, and no failure.
document.addEventListener("htmx:beforeSwap", ({ detail }) => {
  if (detail.xhr.status !== 422) return;
  detail.shouldSwap = true;
  detail.isError = false;
});

document.addEventListener("toast", ({ detail }) => toast(detail.value));
for (const name of ["htmx:sendError", "htmx:responseError", "htmx:timeout"]) {
  document.addEventListener(name, ({ target }) => section()?.contains(target) && toast(section().dataset.lost));
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
  replies.open = true; // what was not unfolded yet is read now, with the new one in it
});

// Whoever acted through a menu is still there when its comment comes back.
document.addEventListener("htmx:afterSwap", ({ detail }) => {
  const id = detail.requestConfig?.elt?.closest?.("[data-comment]")?.dataset.comment;
  if (id && document.activeElement === document.body) document.getElementById(`menu-${id}`)?.focus({ preventScroll: true });
});
