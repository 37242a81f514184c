/** Shelves: buttons that scroll a row of tiles by its width, where a mouse cannot swipe. */

const SHARE = 0.9; // of the row, so that the last tile stays in sight

/**
 * Return whether a row can scroll at all, back and forward.
 * @param {{scrollLeft: number, scrollWidth: number, clientWidth: number}} strip
 */
export function scrollState({ scrollLeft, scrollWidth, clientWidth }) {
  const rest = scrollWidth - clientWidth;
  // Positions are fractions of a pixel on some screens.
  return { canScroll: rest > 1, back: scrollLeft > 1, forward: scrollLeft < rest - 1 };
}

/** @param {FoundElement} shelf */
function equip(shelf) {
  const strip = shelf.querySelector(".strip");
  const buttons = [...shelf.querySelectorAll("[data-scrolls]")];
  if (!strip || !buttons.length) return;
  const update = () => {
    const state = scrollState(strip);
    shelf.classList.toggle("can-scroll", state.canScroll);
    for (const button of buttons) {
      // Not disabled: the focus would leave the button at the end of the row.
      button.setAttribute("aria-disabled", String(!(Number(button.dataset.scrolls) < 0 ? state.back : state.forward)));
    }
  };
  for (const button of buttons) {
    button.addEventListener("click", () => {
      const isCalm = matchMedia("(prefers-reduced-motion: reduce)").matches;
      const left = Number(button.dataset.scrolls) * strip.clientWidth * SHARE;
      strip.scrollBy({ left, behavior: isCalm ? "auto" : "smooth" });
    });
  }
  strip.addEventListener("scroll", update, { passive: true });
  new ResizeObserver(update).observe(strip);
}

for (const shelf of document.querySelectorAll(".shelf")) equip(shelf);
