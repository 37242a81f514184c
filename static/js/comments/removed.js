/**
 * Removed comments leave an open page at once. Restored ones come back to their place,
 * as far as the reader may see them.
 */

import { part } from "#lib/element";

const AT_LEISURE_MS = 2000; // a thousand pages do not ask in the same instant
const COUNTED_TO = 1000; // from there on a count is rounded, in words of the server

const section = () => document.querySelector("[data-comments]");
const placeOf = (/** @type {string} */ id) => document.getElementById(`comment-${id}`);
const shownIn = (/** @type {Element} */ place) => place.querySelector(":scope > article, :scope > comment-composer");
// A change by this page itself arrives with the response.
const isElsewhere = (/** @type {string} */ id) => placeOf(id) && !shownIn(placeOf(id))?.querySelector(".htmx-request");
const isOwn = (/** @type {string} */ id) => placeOf(id) && shownIn(placeOf(id))?.querySelector('[href$="?show=edit"]');

document.addEventListener("text-removed", ({ detail: { kind, ids, count } }) => {
  if (kind !== "comment" || !section()) return;
  showCount(count);
  // Moderators still see hidden comments, and authors their own while it is held.
  for (const id of ids.filter(isElsewhere)) "moderates" in section().dataset || isOwn(id) ? ask(id) : drop(id);
});

document.addEventListener("text-restored", ({ detail: { kind, ids, count } }) => {
  if (kind !== "comment" || !section()) return;
  showCount(count);
  const known = ids.filter(isElsewhere);
  if (known.length) setTimeout(() => known.forEach(ask), Math.random() * AT_LEISURE_MS);
});

// Comments that were restored while the page was hidden.
document.addEventListener("text-missed", () => {
  const gone = section()?.querySelectorAll("li[id^=comment-]:has(> .is-gone)");
  for (const place of gone ?? []) ask(place.id.slice("comment-".length));
});

/** @param {string} id */
function drop(id) {
  const place = placeOf(id);
  if (!place) return;
  shownIn(place)?.replaceWith(part(section(), "removed").content.cloneNode(true));
  const hasReplies = place.querySelector(".replies:not([hidden])");
  place.hidden = !hasReplies;
}

/** @param {string} id */
async function ask(id) {
  const answer = await fetch(`${section().dataset.url}${id}/`, { headers: { "HX-Request": "true" } }).catch(/** @returns {?Response} */ () => null);
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
