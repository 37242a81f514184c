/** A time in a comment takes the player there instead of loading the page anew. */

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-seek]");
  const player = document.querySelector("[data-player]");
  if (!link || !player || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  player.currentTime = Number(link.dataset.seek);
  player.play()?.catch(() => {}); // where the browser wants a gesture on the player itself, it waits there
  player.scrollIntoView({ block: "nearest" });
});
