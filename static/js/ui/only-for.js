/** Parts of a form for one visibility, such as ``data-only-for="password"``, which the styles hide for others. */

/**
 * Disable the fields of hidden parts, so that a value which nobody sees is neither checked nor sent.
 * @param {ParentNode} root
 */
export function disableHidden(root) {
  for (const block of root.querySelectorAll("[data-only-for]")) {
    const choices = block.closest("form").querySelectorAll('[name="visibility"]');
    const chosen = [...choices].find(({ checked }) => checked)?.value;
    for (const field of block.querySelectorAll("input")) field.disabled = block.dataset.onlyFor !== chosen;
  }
}
