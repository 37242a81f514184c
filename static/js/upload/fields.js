/** The fields of an upload's row, as the API takes them: only those that changed. */

import { wellFormed } from "#upload/figures";

const MAX_TAGS = 12;
/** A choice of the form alone: the server knows the moment, and a video is private until then. */
export const SCHEDULED = "scheduled";

/** @typedef {Record<string, string | boolean | string[]>} Fields */

/**
 * Return the fields of a row; a video that is not published yet is private.
 * @param {FoundElement} form
 * @param {{isPublished: boolean, title: string}} options ``title``: for a field without one
 * @returns {Fields}
 */
export function fieldsOf(form, { isPublished, title: otherwise }) {
  const { title, description, visibility, password, category, tags, publish_at: at, is_premiere: isPremiere } = form.elements;
  const names = tags.value.split(/[,，、]/).map((/** @type {string} */ name) => name.trim()).filter(Boolean).slice(0, MAX_TAGS);
  const isScheduled = isPublished && visibility.value === SCHEDULED;
  return {
    title: wellFormed(title.value).trim() || otherwise,
    description: wellFormed(description.value),
    visibility: isPublished ? visibility.value : "private",
    ...(visibility.value === "password" && password?.value ? { password: password.value } : {}),
    ...(isScheduled ? { publish_at: momentOf(at.value), is_premiere: isPremiere.checked } : {}),
    category: category.value,
    ...(names.length ? { tags: names } : {}),
  };
}

/**
 * Return a moment of a ``datetime-local`` field in UTC, or an empty text.
 * @param {string} value
 */
function momentOf(value) {
  const moment = new Date(value);
  return Number.isNaN(moment.getTime()) ? "" : moment.toISOString();
}

/**
 * Return true if a row names no moment in the future for its schedule.
 * @param {Fields} fields
 */
export function lacksMoment({ visibility, publish_at: at }) {
  return visibility === SCHEDULED && !(Date.parse(String(at)) > Date.now());
}

/**
 * Return the body of a request that saves ``fields``, empty if nothing changed.
 *
 * A schedule is sent as a whole when it changed, and never again afterwards: once its
 * moment is over, the server refuses it.
 * @param {Fields} fields
 * @param {Fields} saved
 * @returns {Fields}
 */
export function changesOf(fields, saved) {
  const changed = Object.entries(fields).filter(([name, value]) => JSON.stringify(value) !== JSON.stringify(saved[name]));
  const { visibility, publish_at: _at, is_premiere: _premiere, ...others } = Object.fromEntries(changed);
  if (fields.visibility !== SCHEDULED) return visibility === undefined ? others : { ...others, visibility };
  if (!changed.some(([name]) => ["visibility", "publish_at", "is_premiere"].includes(name))) return others;
  return { ...others, publish_at: fields.publish_at, is_premiere: fields.is_premiere };
}
