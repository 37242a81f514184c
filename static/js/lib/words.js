/**
 * @typedef {(name: string, values?: Record<string, string | number>) => string} Words
 *   Returns the sentence of a name with its values; empty if the template has no such name
 */

/**
 * Return the sentences that a template carries for its element, translated by the server:
 * ``<template data-words><dl><dd data-word="play">Play</dd>…``.
 * @param {Element} element
 * @returns {Words}
 */
export function wordsOf(element) {
  const template = /** @type {HTMLTemplateElement} */ (element.querySelector("template[data-words]"));
  const found = new Map();
  for (const entry of template?.content.querySelectorAll("[data-word]") ?? []) {
    found.set(entry.dataset.word, entry.textContent.trim());
  }
  return (name, values = {}) => fill(found.get(name) ?? "", values);
}

/**
 * ``fill("{n} of {m}", {n: 1, m: 2})`` is "1 of 2".
 * @param {string} sentence
 * @param {Record<string, string | number>} values
 */
export function fill(sentence, values) {
  return sentence.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}
