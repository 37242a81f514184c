/** A list of the latest danmaku, to read it again, report it or delete it. */

import { part } from "#lib/element";
import { clock } from "#player/timeline";

const KEPT = 40;

/** @typedef {import("#comments/buckets").Flying} Flying */

export class RecentDanmaku {
  /**
   * @param {HTMLDetailsElement} panel
   * @param {{row: HTMLTemplateElement, words: import("#lib/words").Words, mayDelete: (one: Flying) => boolean, onDelete: (one: Flying) => void}} options
   */
  constructor(panel, { row, words, mayDelete, onDelete }) {
    this.panel = panel;
    this.row = row;
    this.words = words;
    this.mayDelete = mayDelete;
    this.onDelete = onDelete;
    /** @type {Map<string, Flying>} */
    this.flown = new Map();
    panel.addEventListener("toggle", () => this.show());
  }

  /** @param {Flying} one */
  add(one) {
    this.flown.delete(one.id); // seen again stands last
    this.flown.set(one.id, one);
    if (this.flown.size > KEPT) this.flown.delete(this.flown.keys().next().value);
  }

  /** @param {string} id */
  remove(id) {
    this.flown.delete(id);
    this.show();
  }

  /** Show the list as it is now; it stays so until it is opened again, as a moving list cannot be clicked. */
  show() {
    if (!this.panel.open) return;
    const rows = [...this.flown.values()].reverse().map((one) => this.rowOf(one));
    part(this.panel, "nothing").hidden = rows.length > 0;
    part(this.panel, "list").replaceChildren(...rows);
  }

  /** @param {Flying} one */
  rowOf(one) {
    const row = /** @type {HTMLElement} */ (this.row.content.firstElementChild.cloneNode(true));
    const seconds = Math.floor(one.offset_ms / 1000);
    Object.assign(part(row, "at"), { href: `?t=${seconds}`, textContent: clock(seconds) });
    part(row, "at").dataset.seek = String(seconds);
    part(row, "text").textContent = one.text;
    const [report, remove] = [part(row, "report"), part(row, "delete")];
    report.hidden = Boolean(one.isOwn);
    Object.assign(report.dataset, { report: one.kind ?? "danmaku", reportId: one.id });
    report.setAttribute("aria-label", this.words("report", { text: one.text }));
    remove.hidden = !this.mayDelete(one);
    remove.setAttribute("aria-label", this.words("delete", { text: one.text }));
    remove.addEventListener("click", () => this.onDelete(one));
    return row;
  }
}
