/**
 * Danmaku that belongs to a moment: it stops with the picture, keeps its pace, and
 * may stand at the top or the bottom instead of flying.
 */

import { Danmaku } from "#player/danmaku";
import { Lanes } from "#player/lanes";

const STANDS_MS = 4500;
const MOST_STANDING = 24;

export class TimedDanmaku extends Danmaku {
  /** @param {HTMLElement} layer */
  constructor(layer) {
    super(layer);
    this.share = 1;
    this.rate = 1;
    this.isFrozen = true;
    this.countedAt = performance.now();
    this.counted = 0;
    // Lanes are free by the picture's time: while it stands still, so do they.
    this.lanes = new Lanes({ count: 0, now: () => this.time });
    this.rows = { top: [], bottom: [] };
  }

  /** Milliseconds of flight so far, at the picture's pace. */
  get time() {
    const passed = this.isFrozen ? 0 : (performance.now() - this.countedAt) * this.rate;
    return this.counted + passed;
  }

  /** @param {{isFrozen?: boolean, rate?: number}} pace */
  follow({ isFrozen = this.isFrozen, rate = this.rate }) {
    this.counted = this.time;
    this.countedAt = performance.now();
    Object.assign(this, { isFrozen, rate });
    for (const flight of this.layer.getAnimations({ subtree: true })) this.pace(flight);
  }

  /** @param {Animation} flight */
  pace(flight) {
    flight.playbackRate = this.rate;
    if (this.isFrozen) flight.pause();
    else flight.play();
  }

  /** Elsewhere in the video nothing of this flies. */
  clear() {
    this.layer.replaceChildren();
    this.lanes = new Lanes({ count: 0, now: () => this.time });
    this.rows = { top: [], bottom: [] };
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
    const shown = this.layer.lastElementChild;
    if (shown?.dataset.id !== message.id) return;
    shown.style.color = message.color;
    for (const flight of shown.getAnimations()) this.pace(flight);
  }

  /** @param {import("#comments/buckets").Flying} message */
  stand({ id, text, mode, isOwn = false }) {
    if (!this.isOn || document.hidden || !this.room) return;
    const row = this.freeRow(mode);
    if (row < 0) return;
    const standing = document.createElement("span");
    standing.textContent = text;
    standing.dataset.id = id;
    standing.className = `is-standing${isOwn ? " is-own" : ""}`;
    const [near, far] = mode === "top" ? ["insetBlockStart", "insetBlockEnd"] : ["insetBlockEnd", "insetBlockStart"];
    Object.assign(standing.style, { [near]: `${row * this.lineHeight}px`, [far]: "auto" });
    this.layer.append(standing);
    const stay = standing.animate([{ opacity: 1 }, { opacity: 1 }], STANDS_MS);
    stay.onfinish = () => standing.remove();
  }

  /** The row nearest to its edge that nobody stands in; -1 when there is none. */
  freeRow(mode) {
    const rows = this.rows[mode];
    const count = Math.min(MOST_STANDING, Math.max(1, Math.floor((this.lanes.lanes.length + 1) / 2)));
    for (let row = 0; row < count; row += 1) {
      if ((rows[row] ?? 0) > this.time) continue;
      rows[row] = this.time + STANDS_MS;
      return row;
    }
    return -1;
  }
}
