/** Uploads that this browser began and did not finish, by their file: the same file is resumed. */

import { recall, remember } from "#lib/store";

const KEY = "uploads";
const LIFETIME_MS = 24 * 3_600_000;

/** @typedef {{id: string, name: string, size: number, modified: number, at: number}} Unfinished */

/** @returns {Unfinished[]} */
export function all() {
  return recall(KEY, /** @type {Unfinished[]} */ ([])).filter((upload) => upload.at > Date.now() - LIFETIME_MS);
}

/**
 * @param {File} file
 * @returns {?Unfinished}
 */
export function of(file) {
  const isSame = (/** @type {Unfinished} */ one) => one.name === file.name && one.size === file.size && one.modified === file.lastModified;
  return all().find(isSame) ?? null;
}

/**
 * @param {string} id
 * @param {File} file
 */
export function record(id, file) {
  const others = all().filter((upload) => upload.id !== id);
  remember(KEY, [...others, { id, name: file.name, size: file.size, modified: file.lastModified, at: Date.now() }]);
}

/** @param {string} id */
export function drop(id) {
  remember(KEY, all().filter((upload) => upload.id !== id));
}
