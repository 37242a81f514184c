/** The actions of a moderator: on a message by menu or keys, and on the mode of the room. */

import { besideButton } from "#ui/placement";

const TIMEOUT_S = 600;
const GAP_PX = 4; // between a button and its menu

export class Moderation {
  /**
   * @param {{log: HTMLElement, menu: HTMLElement, modes: ?HTMLElement, send: (frame: object) => boolean, hold: (isHeld: boolean) => void}} options
   */
  constructor({ log, menu, modes, send, hold }) {
    this.log = log;
    this.menu = menu;
    this.modes = modes;
    this.send = send;
    this.hold = hold;
    log.addEventListener("click", (event) => this.onClick(event));
    // From where the room is scrolled the arrows lead into its lines.
    log.parentElement.addEventListener("keydown", (event) => this.onKey(event));
    log.addEventListener("focusin", ({ target }) => hold(target.matches(":focus-visible")));
    log.addEventListener("focusout", () => this.menu.matches(":popover-open") || hold(false));
    menu.addEventListener("click", ({ target }) => this.act(target.closest("[data-act]")?.dataset.act));
    menu.addEventListener("keydown", (event) => this.onMenuKey(event));
    menu.addEventListener("toggle", ({ newState }) => this.onToggle(newState === "open"));
    modes?.addEventListener("change", ({ target }) => this.onMode(/** @type {HTMLInputElement} */ (target)));
  }

  /** @param {MouseEvent} event */
  onClick(event) {
    const button = event.target.closest(".chat-actions");
    if (button) this.open(button.closest(".chat-line"), button);
  }

  /**
   * Move between lines with arrows, open the menu with Enter, remove with Delete.
   * @param {KeyboardEvent} event
   */
  onKey(event) {
    const line = event.target.closest(".chat-line");
    /** @type {Record<string, number>} */
    const steps = { ArrowUp: -1, ArrowDown: 1 };
    if (event.key in steps) {
      const lines = [...this.log.querySelectorAll(".chat-line")];
      const next = line ? lines[lines.indexOf(line) + steps[event.key]] : lines.at(-1);
      next?.focus();
    } else if (line && event.target === line && event.key === "Enter") {
      this.open(line, line.querySelector(".chat-actions"));
    } else if (line && event.key === "Delete") {
      this.line = line;
      this.act("delete");
    } else return;
    event.preventDefault();
  }

  /**
   * @param {HTMLElement} line
   * @param {?HTMLElement} button
   */
  open(line, button) {
    if (!button) return;
    this.line = line;
    this.opener = button;
    this.menu.showPopover();
    const { offsetHeight: height, offsetWidth: width } = this.menu;
    const { left, top } = besideButton(button.getBoundingClientRect(), { width, height }, innerWidth, innerHeight, GAP_PX);
    this.menu.style.inset = `${top}px auto auto ${left}px`;
    this.menu.querySelector("[data-act]").focus();
  }

  /** @param {boolean} isOpen */
  onToggle(isOpen) {
    this.hold(isOpen);
    this.line?.classList.toggle("is-chosen", isOpen);
    if (!isOpen && this.menu.contains(document.activeElement)) this.line?.focus();
  }

  /** @param {KeyboardEvent} event */
  onMenuKey(event) {
    const rows = [...this.menu.querySelectorAll("[data-act]")];
    const at = rows.findIndex((row) => row === document.activeElement);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: rows.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    rows.at(to % rows.length).focus();
  }

  /** @param {string} [name] */
  act(name) {
    const { id, username } = this.line?.dataset ?? {};
    /** @type {Record<string, object>} */
    const frames = {
      delete: { type: "delete", id },
      timeout: { type: "timeout", username, seconds: TIMEOUT_S },
      ban: { type: "ban", username },
      unban: { type: "unban", username },
    };
    if (!frames[name]) return;
    this.send(frames[name]);
    if (this.menu.matches(":popover-open")) this.menu.hidePopover();
  }

  /** @param {HTMLInputElement | HTMLSelectElement} field */
  onMode(field) {
    const value = field.type === "checkbox" ? field.checked : Number(field.value);
    this.send({ type: "mode", [field.name]: value });
  }

  /**
   * Show the mode of the room in the fields; another moderator may have changed it.
   * @param {Record<string, any>} mode
   */
  showMode(mode) {
    for (const field of this.modes?.querySelectorAll("[name]") ?? []) {
      if (!(field.name in mode)) continue;
      if (field.type === "checkbox") field.checked = Boolean(mode[field.name]);
      else field.value = String(mode[field.name]);
    }
  }
}
