/**
 * The moderation desk by keyboard. A key goes to the element that names it:
 * ``data-key="n"`` is clicked; a decision (``data-arms``) is chosen first, by
 * focus, and chosen by the same key again or by Enter.
 */

import { cookie } from "#lib/api";

const RENEW_MS = 60_000;
const WORD_MS = 1000; // as long as browsers wait for the next letter of a choice
/** @type {Record<string, string>} */
const FIELDS = { r: "reason", d: "duration_s", c: "content", m: "note" };

let typedAt = -WORD_MS;

const desk = document.querySelector("[data-desk]");

// Before the player, which takes numbers for positions.
window.addEventListener("keydown", onKey, { capture: true });

/** @param {KeyboardEvent} event */
function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (event.target.closest?.("textarea, input:not([type=range], [type=checkbox], [type=submit]), dialog[open]")) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  if (event.target.closest?.("select") && isChoosing(event)) return;
  const field = document.querySelector(`[data-part=decide] [name="${FIELDS[event.key]}"]`);
  const pressed = document.querySelector(`[data-key="${CSS.escape(event.key)}"]:not(:disabled)`);
  const wanted = pressed ?? field;
  if (!wanted) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  if (event.repeat) return;
  if (pressed && (!("arms" in pressed.dataset) || pressed === document.activeElement)) pressed.click();
  else wanted.focus();
}

/**
 * Return whether a key is left to a list of choices: it types a word, or is none of ours.
 * @param {KeyboardEvent} event
 * @returns {boolean} whether the key belongs to the list
 */
function isChoosing({ key, target, timeStamp }) {
  if (key === "Escape") target.blur();
  const isOurs = key in FIELDS || document.querySelector(`[data-key="${CSS.escape(key)}"]`);
  // Numbers decide, however soon after a word.
  const isWord = /^[^\d\s]$/.test(key) && (!isOurs || timeStamp - typedAt < WORD_MS);
  if (isWord) typedAt = timeStamp;
  return isWord || !isOurs;
}

// One decision a page: a key that is pressed once too often decides nothing more.
document.querySelector("[data-part=decide]")?.addEventListener("submit", (event) => {
  if (event.target.dataset.sent) event.preventDefault();
  event.target.dataset.sent = "true";
});
// A page that the browser kept is as it was before it was sent.
window.addEventListener("pageshow", ({ persisted }) => persisted && location.reload());

if (desk?.dataset.claim) {
  const renewing = setInterval(async () => {
    const answer = await post(desk.dataset.claim).catch(/** @returns {?Response} */ () => null);
    if (answer?.status !== 409) return;
    clearInterval(renewing);
    location.reload(); // it shows who has it
  }, RENEW_MS);
  window.addEventListener("pagehide", () => post(desk.dataset.release, { keepalive: true }).catch(() => {}));
}

/**
 * @param {string} address
 * @param {RequestInit} [options]
 */
function post(address, options = {}) {
  return fetch(address, { method: "POST", headers: { "X-CSRFToken": cookie("csrftoken") }, ...options });
}

if (desk?.querySelector("video-player, clip-player")) {
  const address = new URL(location.href);
  if (desk.dataset.offset && !address.searchParams.has("t")) {
    address.searchParams.set("t", String(Math.floor(Number(desk.dataset.offset))));
    history.replaceState(history.state, "", address);
  }
  const [{ VideoPlayer }, { ClipPlayer }] = await Promise.all([import("#player/video-player"), import("#player/clip-player")]);
  // Looking at a report is not watching.
  for (const player of [VideoPlayer, ClipPlayer]) player.prototype.report = async () => ({ session: "" });
}

desk?.addEventListener("click", (event) => {
  const moment = event.target.closest("[data-seek]");
  const player = document.querySelector("[data-player]");
  if (!moment || !player) return;
  player.currentTime = Number(moment.dataset.seek);
  player.scrollIntoView({ block: "nearest" });
});
