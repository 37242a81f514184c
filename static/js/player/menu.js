/** The settings menu: a list of lists, walked with arrows, closed by Escape. */

/**
 * @typedef {{label: string, icon: string, value: string, items?: Item[], act?: () => void}} Group
 * @typedef {{label: string, value?: string, isChosen: boolean, act: () => void}} Item
 */

// As in player.css: below that a list does not fit into the player.
const SHEET = "(width < 600px) or (height < 480px)";

export class Menu {
  /**
   * @param {HTMLElement} element
   * @param {HTMLElement} opener
   * @param {(name: string) => Node} icon
   * @param {() => Group[]} groups
   */
  constructor(element, opener, icon, groups) {
    this.element = element;
    this.opener = opener;
    this.icon = icon;
    this.groups = groups;
    element.addEventListener("keydown", (event) => this.onKey(event));
  }

  get isOpen() {
    return !this.element.hidden;
  }

  toggle() {
    if (this.isOpen) this.close();
    else this.open();
  }

  /** Open beside the button, or on small screens as a sheet in the top layer, because it is taller than the player. */
  open() {
    this.element.hidden = false;
    this.element.popover = matchMedia(SHEET).matches ? "manual" : null;
    if (this.element.popover) this.element.showPopover();
    this.opener.setAttribute("aria-expanded", "true");
    this.showGroups();
  }

  /**
   * Open at one group's items; close if it is open.
   * @param {string} label
   */
  openAt(label) {
    if (this.isOpen) return this.close();
    this.open();
    const group = this.groups().find((one) => one.label === label);
    if (group?.items) this.showItems(group);
    return undefined;
  }

  /** @param {boolean} [givesFocusBack] */
  close(givesFocusBack = true) {
    if (!this.isOpen) return;
    if (this.element.popover) this.element.hidePopover();
    this.element.hidden = true;
    this.opener.setAttribute("aria-expanded", "false");
    if (givesFocusBack) this.opener.focus({ preventScroll: true });
  }

  /** @param {string} [focused] label of the group to stand on */
  showGroups(focused) {
    this.element.setAttribute("aria-label", this.opener.getAttribute("aria-label"));
    const rows = this.groups().map((group) => {
      const row = this.row("menuitem", group.label, () => (group.items ? this.showItems(group) : this.run(group.act)));
      row.prepend(this.icon(group.icon));
      if (group.items) row.setAttribute("aria-haspopup", "menu");
      row.append(this.value(group.value));
      return row;
    });
    this.show(rows, Math.max(0, this.groups().findIndex((group) => group.label === focused)));
  }

  /** @param {Group} group */
  showItems(group) {
    this.element.setAttribute("aria-label", group.label);
    const back = this.row("menuitem", group.label, () => this.showGroups(group.label));
    back.className = "back";
    back.prepend(this.icon("back"));
    const rows = group.items.map((item) => {
      const row = this.row("menuitemradio", item.label, () => this.run(item.act));
      row.setAttribute("aria-checked", String(item.isChosen));
      row.prepend(this.icon("tick"));
      if (item.value) row.append(this.value(item.value));
      return row;
    });
    this.show([back, ...rows], Math.max(1, group.items.findIndex((item) => item.isChosen) + 1));
  }

  /** @param {() => void} act */
  run(act) {
    this.close();
    act();
  }

  /** @param {string} text */
  value(text) {
    const value = document.createElement("span");
    value.className = "value";
    value.textContent = text;
    return value;
  }

  /**
   * @param {string} role
   * @param {string} label
   * @param {() => void} act
   */
  row(role, label, act) {
    const row = document.createElement("button");
    row.type = "button";
    row.setAttribute("role", role);
    row.tabIndex = -1;
    const words = document.createElement("span");
    words.textContent = label;
    row.append(words);
    row.addEventListener("click", (event) => {
      event.stopPropagation();
      act();
    });
    return row;
  }

  /**
   * @param {HTMLElement[]} rows
   * @param {number} focused
   */
  show(rows, focused) {
    this.element.replaceChildren(...rows);
    const row = rows[focused];
    // The page must not scroll, as it would for a focus of its own accord.
    this.element.scrollTop = row.offsetTop - (this.element.clientHeight - row.offsetHeight) / 2;
    row.focus({ preventScroll: true });
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    const rows = /** @type {HTMLElement[]} */ ([...this.element.children]);
    const at = rows.findIndex((row) => row === document.activeElement);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: rows.length - 1 }[event.key];
    if (to !== undefined) rows.at(to % rows.length).focus();
    else if (event.key === "ArrowRight" && rows[at]?.hasAttribute("aria-haspopup")) rows[at].click();
    else if (event.key === "ArrowLeft") (rows[0].className === "back" ? rows[0].click() : this.close());
    else if (event.key === "Escape") this.close();
    else if (event.key === "Tab") return this.close(false);
    else if (event.key !== "Enter" && event.key !== " ") return undefined;
    else event.target.click();
    event.preventDefault();
    event.stopPropagation();
    return undefined;
  }
}
