/** ``<sortable-list>``: a playlist whose rows its owner orders by dragging their grips, or by arrow keys. */

import { call } from "#lib/api";
import { define, part } from "#lib/element";
import { wordsOf } from "#lib/words";
import { placeAfter, placeAt } from "#library/order";

// Near an edge of the window, the page scrolls under the dragged row.
const EDGE_PX = 90;
const STEP_PX = 14;

class SortableList extends HTMLElement {
  connectedCallback() {
    if (!this.dataset.playlist || this.list) return;
    this.words = wordsOf(this);
    /** @type {string} */
    this.sent = "";
    this.list = this.querySelector("ol");
    for (const grip of this.querySelectorAll("[data-part=grip]")) grip.hidden = false;
    this.addEventListener("pointerdown", (event) => this.onDown(event));
    this.addEventListener("keydown", (event) => this.onKey(event));
  }

  get rows() {
    return /** @type {HTMLElement[]} */ ([...this.list.children]);
  }

  /** @param {PointerEvent} event */
  onDown(event) {
    const grip = /** @type {Element} */ (event.target).closest("[data-part=grip]");
    if (!grip || event.button !== 0) return;
    event.preventDefault();
    const row = grip.closest("li");
    const before = this.rows.indexOf(row);
    const dragging = new AbortController();
    const { signal } = dragging;
    row.classList.add("is-dragged");
    const end = (/** @type {boolean} */ isKept) => {
      dragging.abort();
      row.classList.remove("is-dragged");
      if (!isKept) this.put(row, before);
      if (this.rows.indexOf(row) !== before) this.save(row);
    };
    // On the document: the grip moves with its row, and a moved element loses the pointer.
    document.addEventListener("pointermove", (move) => this.drag(row, move.clientY), { signal });
    document.addEventListener("pointerup", () => end(true), { signal });
    document.addEventListener("pointercancel", () => end(false), { signal });
  }

  /**
   * @param {HTMLElement} row
   * @param {number} y
   */
  drag(row, y) {
    const others = this.rows.filter((other) => other !== row).map((other) => other.getBoundingClientRect());
    const place = placeAt(y, others);
    if (y < EDGE_PX) scrollBy(0, -STEP_PX);
    if (y > innerHeight - EDGE_PX) scrollBy(0, STEP_PX);
    if (place !== this.rows.indexOf(row)) this.put(row, place);
  }

  /**
   * Put a row at a place among the others.
   * @param {HTMLElement} row
   * @param {number} place
   */
  put(row, place) {
    const others = this.rows.filter((other) => other !== row);
    this.list.insertBefore(row, others[place] ?? null);
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    const grip = /** @type {Element} */ (event.target).closest("[data-part=grip]");
    if (!grip) return;
    const row = grip.closest("li");
    const place = this.rows.indexOf(row);
    const next = placeAfter(event.key, place, this.rows.length);
    if (next === null) return;
    event.preventDefault();
    if (next === place) return;
    this.put(row, next);
    grip.focus();
    this.save(row);
  }

  /**
   * Save after the last save has ended: the older of two requests could arrive last.
   * @param {HTMLElement} row
   */
  save(row) {
    this.saving = (this.saving ?? Promise.resolve()).then(() => this.send(row));
  }

  /**
   * Send the place that the row has now, unless it was sent already.
   * @param {HTMLElement} row
   */
  async send(row) {
    const { rows } = this;
    const place = rows.indexOf(row);
    const before = rows[place + 1]?.dataset.video ?? "";
    const move = [row, ...rows].map((one) => one.dataset.video).join();
    if (move === this.sent) return;
    const status = part(this, "status");
    try {
      await call("PATCH", `playlists/${this.dataset.playlist}/items/${row.dataset.video}/`, { before });
      this.sent = move;
      status.classList.add("visually-hidden");
      const title = row.querySelector("h3").textContent.trim();
      status.textContent = this.words("moved", { title, n: place + 1, count: rows.length });
    } catch {
      status.classList.remove("visually-hidden");
      status.textContent = this.words("failed");
    }
  }
}

define("sortable-list", SortableList);
