/**
 * The moderation desk by keyboard. A key goes to the element that names it:
 * ``data-key="n"`` is clicked; a decision (``data-arms``) is chosen first, by
 * focus, and taken by the same key again or by Enter.
 */

import { cookie } from "#lib/api";

const RENEW_MS = 60_000;
const FIELDS = { r: "reason", d: "duration_s", c: "content", m: "note" };

const desk = document.querySelector("[data-desk]");

// Ahead of the player, to whom numbers mean places.
window.addEventListener("keydown", onKey, { capture: true });

/** @param {KeyboardEvent} event */
function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (event.target.closest?.("textarea, input:not([type=range], [type=checkbox], [type=submit]), dialog[open]")) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  // In a list of choices, letters choose.
  if (event.target.closest?.("select") && !/^[0-9]$/.test(event.key)) return;
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

// One decision a page: a key that is pressed once too often decides nothing more.
document.querySelector("[data-part=decide]")?.addEventListener("submit", (event) => {
  if (event.target.dataset.sent) event.preventDefault();
  event.target.dataset.sent = "true";
});
// A page that the browser kept is as it was before it was sent.
window.addEventListener("pageshow", ({ persisted }) => persisted && location.reload());

// --- The case stays in hand while its page is open ------------------------------------

if (desk?.dataset.claim) {
  const renewing = setInterval(async () => {
    const answer = await tell(desk.dataset.claim).catch(() => null);
    if (answer?.status !== 409) return;
    clearInterval(renewing);
    location.reload(); // it shows who has it
  }, RENEW_MS);
  window.addEventListener("pagehide", () => tell(desk.dataset.release, { keepalive: true }).catch(() => {}));
}

/**
 * @param {string} address
 * @param {RequestInit} [options]
 */
function tell(address, options = {}) {
  return fetch(address, { method: "POST", headers: { "X-CSRFToken": cookie("csrftoken") }, ...options });
}

// --- The player, at the moment that was reported --------------------------------------

if (desk?.querySelector("video-player")) {
  const address = new URL(location.href);
  if (desk.dataset.offset && !address.searchParams.has("t")) {
    address.searchParams.set("t", String(Math.floor(Number(desk.dataset.offset))));
    history.replaceState(history.state, "", address);
  }
  const { VideoPlayer } = await import("#player/video-player");
  // Looking at a report is not watching.
  VideoPlayer.prototype.report = async () => ({ session: "" });
}

desk?.addEventListener("click", (event) => {
  const moment = event.target.closest("[data-seek]");
  const player = document.querySelector("[data-player]");
  if (!moment || !player) return;
  player.currentTime = Number(moment.dataset.seek);
  player.scrollIntoView({ block: "nearest" });
});
