/** A short sentence at the foot of the page that leaves by itself. */

const STAYS_MS = 3200;
let timer = 0;

/** @param {string} sentence */
export function toast(sentence) {
  const element = document.querySelector("[data-toast]");
  if (!element || !sentence) return;
  element.textContent = sentence;
  element.showPopover?.();
  clearTimeout(timer);
  timer = setTimeout(() => element.hidePopover?.(), STAYS_MS);
}
