/** The place of a menu beside the button that opens it, without a browser. */

const EDGE_PX = 8;

/**
 * Return the place of a menu whose right edge meets that of its button: below it, above where there
 * is no room below, and all of it in the window.
 * @param {{right: number, top: number, bottom: number}} button
 * @param {{width: number, height: number}} menu
 * @param {number} width of the window
 * @param {number} height of the window
 * @param {number} [gap] between the two
 */
export function besideButton(button, menu, width, height, gap = 0) {
  const left = Math.max(EDGE_PX, Math.min(button.right - menu.width, width - menu.width - EDGE_PX));
  const fitsBelow = button.bottom + menu.height + EDGE_PX <= height;
  const top = fitsBelow ? button.bottom + gap : Math.max(EDGE_PX, button.top - menu.height - gap);
  return { left, top };
}
