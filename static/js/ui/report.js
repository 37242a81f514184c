/**
 * Reporting in place: any element with ``data-report="kind" data-report-id="…"``
 * opens the form as a dialog. If the dialog cannot be loaded, a link is followed.
 */

import { ApiError, call } from "#lib/api";
import { part } from "#lib/element";
import { wordsOf } from "#lib/words";
import { toast } from "#ui/toast";

document.addEventListener("click", (event) => {
  const opener = event.target.closest?.("[data-report]");
  if (!opener || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  open(opener);
});

/** @param {HTMLElement} opener */
async function open(opener) {
  const address = `/report/${encodeURIComponent(opener.dataset.report)}/${encodeURIComponent(opener.dataset.reportId)}/`;
  // The position now, not at the time of sending.
  const offset = document.querySelector("[data-player]")?.currentTime;
  const dialog = await fetchDialog(`${address}?dialog`);
  if (!dialog) {
    location.assign(`${address}?next=${encodeURIComponent(location.pathname + location.search)}`);
    return;
  }
  document.body.append(dialog);
  dialog.addEventListener("close", () => dialog.remove());
  const form = dialog.querySelector(".report-form");
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send(dialog, /** @type {HTMLFormElement} */ (form), offset);
  });
  dialog.showModal();
  form.querySelector("input[type=radio]").focus();
}

/**
 * @param {string} address
 * @returns {Promise<?HTMLDialogElement>} null where somebody has to sign in first, or it is gone
 */
async function fetchDialog(address) {
  try {
    const answer = await fetch(address);
    if (!answer.ok || answer.redirected) return null;
    const parsed = new DOMParser().parseFromString(await answer.text(), "text/html");
    return document.importNode(/** @type {?HTMLDialogElement} */ (parsed.querySelector("dialog")), true);
  } catch {
    return null;
  }
}

/**
 * @param {HTMLDialogElement} dialog
 * @param {HTMLFormElement} form
 * @param {number | undefined} offset
 */
async function send(dialog, form, offset) {
  const words = wordsOf(dialog);
  const given = new FormData(form);
  const button = form.querySelector("button[type=submit]");
  button.disabled = true;
  try {
    await call("POST", "reports/", {
      target_type: form.dataset.kind,
      target_id: form.dataset.id,
      reason: given.get("reason"),
      detail: given.get("detail"),
      ...(Number.isFinite(offset) ? { offset_s: offset } : {}),
    });
    dialog.close();
    toast(words("thanks"));
  } catch (error) {
    const problem = part(dialog, "error");
    problem.textContent = (error instanceof ApiError && error.message) || words("failed");
    problem.hidden = false;
    button.disabled = false;
  }
}
