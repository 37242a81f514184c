/**
 * Danmaku that belongs to a moment: it stops with the video, keeps its pace, and
 * may stand at the top or the bottom instead of flying.
 */

import { Danmaku } from "#player/danmaku";
import { Lanes } from "#player/lanes";

const STANDS_MS = 4500;

export class TimedDanmaku extends Danmaku {
  /** @param {HTMLElement} layer */
  constructor(layer) {
    super(layer);
    this.share = 1;
    this.rate = 1;
    this.isFrozen = true;
    this.countedAt = performance.now();
    this.counted = 0;
    // Lanes become free by the video's time: during a pause they do not.
    this.lanes = new Lanes({ count: 0, now: () => this.time });
    /** @type {number[]} until when a message stands in each row, counted from above */
    this.standing = [];
  }

  /** Milliseconds of flight so far, at the video's pace. */
  get time() {
    const passed = this.isFrozen ? 0 : (performance.now() - this.countedAt) * this.rate;
    return this.counted + passed;
  }

  /** @param {{isFrozen?: boolean, rate?: number}} pace */
  follow({ isFrozen = this.isFrozen, rate = this.rate }) {
    this.counted = this.time;
    this.countedAt = performance.now();
    this.isFrozen = isFrozen;
    this.rate = rate;
    for (const flight of this.layer.getAnimations({ subtree: true })) this.pace(flight);
  }

  /** @param {Animation} flight */
  pace(flight) {
    flight.playbackRate = this.rate;
    if (this.isFrozen) flight.pause();
    else flight.play();
  }

  /** Remove all messages: the playhead is elsewhere. */
  clear() {
    this.layer.replaceChildren();
    this.lanes = new Lanes({ count: 0, now: () => this.time });
    this.standing = [];
    this.measure();
  }

  /** @param {number} share of the lanes that may be used */
  limit(share) {
    this.share = share;
    this.measure();
  }

  measure() {
    super.measure();
    const count = this.lanes.lanes.length;
    this.lanes.resize(Math.max(1, Math.round(count * (this.share ?? 1))));
  }

  /** @param {import("#comments/buckets").Flying} message */
  show(message) {
    if (message.mode === "top" || message.mode === "bottom") this.stand(message);
    else super.show({ ...message, username: "" });
    const shown = /** @type {?HTMLElement} */ (this.layer.lastElementChild);
    if (shown?.dataset.id !== message.id) return;
    shown.style.color = message.color;
    for (const flight of shown.getAnimations()) this.pace(flight);
  }

  /** @param {import("#comments/buckets").Flying} message */
  stand({ id, text, mode, isOwn = false }) {
    if (!this.isOn || document.hidden || !this.room) return;
    const row = this.freeRow(mode, isOwn);
    if (row < 0) return;
    this.standing[row] = this.time + STANDS_MS;
    this.lanes.hold(row, STANDS_MS);
    const standing = document.createElement("span");
    standing.textContent = text;
    standing.dataset.id = id;
    standing.className = `is-standing${isOwn ? " is-own" : ""}`;
    standing.style.setProperty("--row", String(row));
    this.layer.append(standing);
    const stay = standing.animate([{ opacity: 1 }, { opacity: 1 }], STANDS_MS);
    stay.onfinish = () => standing.remove();
  }

  /**
   * Return the row nearest to the message's edge in which nothing stands or flies; -1 when there is none.
   * A person's own message may stand over flying ones.
   * @param {string} mode top or bottom
   * @param {boolean} isOwn
   */
  freeRow(mode, isOwn) {
    const rows = Array.from({ length: this.rowCount }, (_none, row) => (mode === "top" ? row : this.rowCount - 1 - row));
    const free = rows.filter((row) => (this.standing[row] ?? 0) <= this.time);
    return free.find((row) => this.lanes.isEmpty(row)) ?? (isOwn ? (free[0] ?? rows[0]) : -1);
  }
}
