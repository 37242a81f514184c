/** A short sentence at the foot of the page that leaves by itself, with an action if there is one. */

const STAYS_MS = 3200;
const ACTION_STAYS_MS = 8000;
let timer = 0;

/**
 * @param {string} sentence
 * @param {{label: string, act: () => void}} [action] a button; the sentence stays while it is used
 */
export function toast(sentence, action) {
  const element = document.querySelector("[data-toast]");
  if (!element || !sentence) return;
  element.textContent = sentence;
  if (action) element.append(actionButton(element, action));
  element.showPopover?.();
  clearTimeout(timer);
  timer = setTimeout(() => leave(element), action ? ACTION_STAYS_MS : STAYS_MS);
}

/**
 * @param {HTMLElement} element
 * @param {{label: string, act: () => void}} action
 */
function actionButton(element, { label, act }) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = label;
  button.addEventListener("click", () => {
    clearTimeout(timer);
    element.hidePopover?.();
    act();
  });
  return button;
}

/** @param {HTMLElement} element */
function leave(element) {
  if (element.matches?.(":hover, :focus-within")) timer = setTimeout(() => leave(element), STAYS_MS);
  else element.hidePopover?.();
}
