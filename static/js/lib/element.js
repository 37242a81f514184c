/**
 * Return the part of ``root`` that its template marks ``data-part="name"``.
 * @param {ParentNode} root
 * @param {string} name
 * @returns {FoundElement}
 */
export function part(root, name) {
  return root.querySelector(`[data-part="${name}"]`);
}

/**
 * Define a custom element once, whichever module came first.
 * @param {string} name
 * @param {CustomElementConstructor} constructor
 */
export function define(name, constructor) {
  if (!customElements.get(name)) customElements.define(name, constructor);
}
