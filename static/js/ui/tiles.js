/** Tiles of videos: the code of their menu is loaded when it is first used. */

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
