/** The header leaves while a phone scrolls down and comes back on the way up; "/" goes to the search. */

const header = document.querySelector("[data-header]");
let lastY = window.scrollY;

function onScroll() {
  const y = Math.max(0, window.scrollY);
  if (Math.abs(y - lastY) < 8) return;
  header.classList.toggle("is-away", y > lastY && y > header.offsetHeight);
  lastY = y;
}

if (header) window.addEventListener("scroll", onScroll, { passive: true });

document.addEventListener("keydown", (event) => {
  const isTyping = event.target.closest?.("input, textarea, select, [contenteditable]");
  if (event.key !== "/" || isTyping || event.ctrlKey || event.metaKey || event.altKey) return;
  const search = document.querySelector("[data-search]");
  if (!search) return;
  event.preventDefault();
  search.focus();
  search.select();
});
