/** ``<auto-save>``: every change of its form is saved at once, and can be undone. */

import { call } from "#lib/api";
import { define, part } from "#lib/element";
import { wordsOf } from "#lib/words";

const TYPING_MS = 800;

class AutoSave extends HTMLElement {
  connectedCallback() {
    if (this.form) return;
    this.words = wordsOf(this);
    this.form = this.querySelector("form");
    this.state = document.querySelector("[data-autosave-state]");
    part(this, "save").hidden = true;
    /** @type {Record<string, any>} the last values that were saved */
    this.saved = this.values();
    this.form.addEventListener("input", () => this.soon(TYPING_MS));
    this.form.addEventListener("change", (event) => this.onChange(event));
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.soon(0);
    });
  }

  /** @returns {Record<string, any>} */
  values() {
    const { title, category, visibility, latency, record } = this.form.elements;
    return { title: title.value, category: category.value, visibility: visibility.value, latency: latency.value, record: record.checked };
  }

  /** @param {Event} event */
  async onChange(event) {
    const target = /** @type {HTMLInputElement} */ (event.target);
    clearTimeout(this.timer); // nothing is saved while the dialog asks
    if (target.name === "visibility" && target.value === "private" && isOnAir() && !(await confirmed("make-private"))) {
      target.value = this.saved.visibility;
    }
    this.soon(0);
  }

  /** @param {number} ms */
  soon(ms) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.inTurn(() => this.save(this.values())), ms);
  }

  /**
   * Save after the last save has ended: the older of two requests could arrive last.
   * @param {() => Promise<void>} save
   */
  inTurn(save) {
    this.saving = (this.saving ?? Promise.resolve()).then(save);
  }

  /** @param {ReturnType<AutoSave["values"]>} values */
  async save(values) {
    const before = this.saved;
    const changed = Object.fromEntries(Object.entries(values).filter(([name, value]) => value !== before[name]));
    if (!Object.keys(changed).length) return;
    this.state.textContent = this.words("saving");
    try {
      await call("PATCH", `live/${this.dataset.username}/`, changed);
      this.saved = { ...before, ...changed };
      this.showSaved(before);
    } catch (error) {
      this.state.textContent = error.message || this.words("not-saved");
    }
  }

  /** @param {ReturnType<AutoSave["values"]>} before */
  showSaved(before) {
    const undo = document.createElement("button");
    Object.assign(undo, { type: "button", className: "link", textContent: this.words("undo") });
    undo.addEventListener("click", () => this.restore(before));
    this.state.replaceChildren(`${this.words("saved")} `, undo);
  }

  /** @param {ReturnType<AutoSave["values"]>} values */
  restore(values) {
    const { elements } = this.form;
    for (const name of ["title", "category", "visibility", "latency"]) elements[name].value = values[name];
    elements.record.checked = values.record;
    this.inTurn(() => this.save(values));
  }
}

function isOnAir() {
  const stage = document.querySelector("live-stage");
  return Boolean(stage) && stage.dataset.status !== "offline";
}

/**
 * Ask in a dialog whose buttons have the values yes and no; closing it by Escape means no.
 * @param {string} id
 * @returns {Promise<boolean>}
 */
function confirmed(id) {
  const dialog = /** @type {HTMLDialogElement} */ (document.getElementById(id));
  dialog.returnValue = "no";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}

define("auto-save", AutoSave);
