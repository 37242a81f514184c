/** Tiles of videos: the code of their menu and of their drum is loaded when it is first used. */

const REST_MS = 350;

/** @type {?Element} the tile under the mouse, or with the keyboard’s focus */
let rested = null;
let waiting = 0;
let halt = () => {};

document.addEventListener("click", async (event) => {
  const opener = event.target.closest?.("[data-tile-menu]");
  if (!opener || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  try {
    const { openMenu } = await import("#library/tile-menu");
    await openMenu(opener);
  } catch {
    // The page has the same actions.
    location.assign(opener.href);
  }
});

document.addEventListener("pointerover", (event) => {
  if (event.pointerType !== "touch") rest(event.target.closest?.(".tile"));
});
document.addEventListener("focusin", (event) => {
  if (event.target.matches?.(":focus-visible")) rest(event.target.closest(".tile"));
});
document.documentElement.addEventListener("pointerleave", () => rest(null));

/**
 * Turn the drum of a tile on which somebody rests, and stop that of the one before.
 * @param {?Element} [tile]
 */
function rest(tile = null) {
  if (tile === rested) return;
  clearTimeout(waiting);
  halt();
  halt = () => {};
  rested = tile;
  const picture = tile?.querySelector("[data-storyboard]");
  if (!picture || isCalm()) return;
  waiting = setTimeout(async () => {
    const { turn } = await import("#ui/tile-drum");
    if (rested === tile) halt = turn(picture);
  }, REST_MS);
}

/** Return whether the reader wants no motion, or pays for each byte. */
function isCalm() {
  return /** @type {any} */ (navigator).connection?.saveData || matchMedia("(prefers-reduced-motion: reduce)").matches;
}
