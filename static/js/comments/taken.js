/**
 * Comments that are taken away leave an open page at once, and stand where they
 * stood when they come back, as their reader may see them.
 */

import { part } from "#lib/element";

const AT_LEISURE_MS = 2000; // a thousand pages do not ask in the same instant
const COUNTED_TO = 1000; // from there on a count is rounded, in words of the server

const section = () => document.querySelector("[data-comments]");
const placeOf = (id) => document.getElementById(`comment-${id}`);
const shownIn = (place) => place.querySelector(":scope > article, :scope > comment-composer");
// What this page does itself, it hears of in the answer.
const isElsewhere = (id) => placeOf(id) && !shownIn(placeOf(id))?.querySelector(".htmx-request");

document.addEventListener("said-taken", ({ detail: { kind, ids, count } }) => {
  if (kind !== "comment" || !section()) return;
  showCount(count);
  // Moderators go on seeing what is hidden.
  for (const id of ids.filter(isElsewhere)) "moderates" in section().dataset ? ask(id) : drop(id);
});

document.addEventListener("said-restored", ({ detail: { kind, ids, count } }) => {
  if (kind !== "comment" || !section()) return;
  showCount(count);
  const known = ids.filter(isElsewhere);
  if (known.length) setTimeout(() => known.forEach(ask), Math.random() * AT_LEISURE_MS);
});

// What came back while nobody looked.
document.addEventListener("said-missed", () => {
  const gone = section()?.querySelectorAll("li[id^=comment-]:has(> .is-gone)") ?? [];
  for (const place of gone) ask(place.id.slice("comment-".length));
});

/** @param {string} id */
function drop(id) {
  const place = placeOf(id);
  if (!place) return;
  shownIn(place)?.replaceWith(part(section(), "taken").content.cloneNode(true));
  const hasReplies = place.querySelector(".replies:not([hidden])");
  place.hidden = !hasReplies;
}

/** @param {string} id */
async function ask(id) {
  const answer = await fetch(`${section().dataset.url}${id}/`, { headers: { "HX-Request": "true" } }).catch(() => null);
  if (answer?.status === 404) return drop(id);
  const html = answer?.ok ? await answer.text() : "";
  const shown = placeOf(id) && shownIn(placeOf(id));
  if (!html || !shown) return undefined;
  const hadFocus = shown.contains(document.activeElement);
  placeOf(id).hidden = false;
  window.htmx.swap(shown, html, { swapStyle: "outerHTML" });
  if (hadFocus) document.getElementById(`menu-${id}`)?.focus({ preventScroll: true });
  return undefined;
}

/** @param {number | undefined} count */
function showCount(count) {
  const shown = document.getElementById("comment-count");
  if (!shown || count === undefined || count >= COUNTED_TO) return;
  shown.textContent = shown.title = String(count);
}
