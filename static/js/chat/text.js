/** Messages cut into text and links, without a browser. */

const ADDRESS = /\bhttps?:\/\/[^\s<>"'`，。！？；：、）】》”’]+/gi;
const TRAILING = /[.,!?;:)\]}]+$/;
const LONGEST_SHOWN = 60;

/**
 * @param {string} text
 * @returns {{text: string, href?: string}[]} in order; only http and https become links
 */
export function pieces(text) {
  const found = [];
  let at = 0;
  for (const match of text.matchAll(ADDRESS)) {
    const address = withoutTrailing(match[0]);
    const href = safeAddress(address);
    if (!href) continue;
    if (match.index > at) found.push({ text: text.slice(at, match.index) });
    found.push({ text: shortened(address), href });
    at = match.index + address.length;
  }
  if (at < text.length) found.push({ text: text.slice(at) });
  return found;
}

/**
 * Return an address without the punctuation of its sentence; a bracket stays if it opens in the address.
 * @param {string} address
 */
function withoutTrailing(address) {
  return address.includes("(") && address.endsWith(")") ? address : address.replace(TRAILING, "");
}

/** @param {string} address */
function safeAddress(address) {
  try {
    const url = new URL(address);
    // Names before an @ only serve to look like somewhere else.
    return url.hostname.includes(".") && !url.username && !url.password ? url.href : "";
  } catch {
    return "";
  }
}

/** @param {string} address */
function shortened(address) {
  const plain = address.replace(/^https?:\/\//i, "");
  return plain.length > LONGEST_SHOWN ? `${plain.slice(0, LONGEST_SHOWN - 1)}…` : plain;
}

/**
 * Return the length of a text as the server counts it: in characters, not in units of UTF-16.
 * @param {string} text
 */
export function lengthOf(text) {
  return [...text].length;
}
