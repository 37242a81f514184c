/** Times in comments: a click moves the player instead of loading the page anew. */

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-seek]");
  const player = document.querySelector("[data-player]");
  if (!link || !player || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  player.currentTime = Number(link.dataset.seek);
  player.play()?.catch(() => {}); // it stays paused if the browser wants a gesture on the player itself
  player.scrollIntoView({ block: "nearest" });
});
