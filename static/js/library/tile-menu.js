/** The menu of a video in a list: the server's actions in place, with *Undo* for those that hide a tile. */

import { call } from "#lib/api";
import "#library/save";
import { wordsOf } from "#lib/words";
import { besideButton } from "#ui/placement";
import { toast } from "#ui/toast";

/** @type {?HTMLElement} the menu that was opened last, with its dialog */
let holder = null;

/**
 * Fetch the menu of a tile and open it beside its button. Raises an error if there is none.
 * @param {FoundElement} opener
 */
export async function openMenu(opener) {
  const answer = await fetch(`${opener.href}?menu`);
  if (!answer.ok) throw new Error(String(answer.status));
  const content = document.createElement("div");
  content.innerHTML = await answer.text();
  holder?.remove();
  holder = content;
  document.body.append(holder);
  window.htmx.process(holder);
  const menu = holder.querySelector(".tile-actions");
  listen(menu, opener);
  menu.showPopover();
  place(menu, opener.getBoundingClientRect());
  menu.querySelector(".menu-item").focus({ preventScroll: true });
}

/**
 * Place the menu below its button, above where there is no room below; a phone has it at its foot.
 * @param {HTMLElement} menu
 * @param {DOMRect} button
 */
function place(menu, button) {
  if (getComputedStyle(menu).getPropertyValue("--is-sheet")) return;
  const { left, top } = besideButton(button, menu.getBoundingClientRect(), innerWidth, innerHeight);
  Object.assign(menu.style, { inset: `${top}px auto auto ${left}px` });
}

/**
 * @param {HTMLElement} menu
 * @param {FoundElement} opener
 */
function listen(menu, opener) {
  const words = wordsOf(menu);
  menu.addEventListener("submit", async (event) => {
    const form = /** @type {HTMLFormElement} */ (event.target);
    event.preventDefault();
    menu.hidePopover();
    try {
      if (form.dataset.later) await changeLater(form, words);
      else await dismiss(form, opener, words);
    } catch (error) {
      toast(error.message || words("failed"));
    }
  });
  menu.addEventListener("click", (event) => {
    if (event.target.closest("a")) menu.hidePopover();
  });
  menu.addEventListener("toggle", (event) => {
    // The focus returns to the tile, unless somebody has put it elsewhere.
    if (event.newState === "closed" && document.activeElement === document.body) opener.focus({ preventScroll: true });
  });
}

/**
 * @param {HTMLFormElement} form
 * @param {import("#lib/words").Words} words
 */
async function changeLater(form, words) {
  const isSaved = form.querySelector("[name=saved]").value === "1";
  await call(isSaved ? "PUT" : "DELETE", form.dataset.later);
  toast(words(isSaved ? "saved" : "unsaved"));
}

/**
 * Hide the video from the page and from later lists; *Undo* shows both again.
 * @param {HTMLFormElement} form
 * @param {FoundElement} opener
 * @param {import("#lib/words").Words} words
 */
async function dismiss(form, opener, words) {
  const items = [...document.querySelectorAll("[data-tile-menu]")]
    .filter((one) => one.href === opener.href)
    .map((one) => one.closest("li"));
  await send(form, "1");
  const neighbour = opener.closest("li").nextElementSibling ?? opener.closest("li").previousElementSibling;
  for (const item of items) item.hidden = true;
  neighbour?.querySelector("h3 a")?.focus({ preventScroll: true });
  const act = async () => {
    await send(form, "0");
    for (const item of items) item.hidden = false;
    opener.focus();
  };
  toast(words("dismissed"), { label: words("undo"), act: () => act().catch(() => toast(words("failed"))) });
}

/**
 * @param {HTMLFormElement} form
 * @param {string} dismissed
 */
async function send(form, dismissed) {
  const body = new FormData(form);
  body.set("dismissed", dismissed);
  const answer = await fetch(form.action, { method: "POST", body, headers: { "HX-Request": "true" } });
  if (!answer.ok) throw new Error("");
}
