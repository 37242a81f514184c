/**
 * Messages that fly over the frames from right to left. Only transforms are animated,
 * a lane holds one message at a time, and a message without a free lane is left out:
 * the chat beside it has all of them.
 */

import { Lanes } from "#player/lanes";

const FLIGHT_MS = 8000;
const LINE = 1.45; // of the letters' height
const COVERED = 0.6; // of the frame, from above
const MOST_AT_ONCE = 60;
const LONGEST = 100; // letters

export class Danmaku {
  /** @param {HTMLElement} layer */
  constructor(layer) {
    this.layer = layer;
    this.isOn = false;
    this.lanes = new Lanes({ count: 0 });
    this.watcher = new ResizeObserver(() => this.measure());
    this.watcher.observe(layer);
  }

  close() {
    this.watcher.disconnect();
    this.layer.replaceChildren();
  }

  /** @param {boolean} isOn */
  switchTo(isOn) {
    this.isOn = isOn;
    this.layer.hidden = !isOn;
    if (!isOn) this.layer.replaceChildren();
  }

  measure() {
    this.room = this.layer.clientWidth;
    this.lineHeight = Number.parseFloat(getComputedStyle(this.layer).fontSize) * LINE;
    this.rowCount = Math.max(1, Math.floor(this.layer.clientHeight / this.lineHeight));
    this.lanes.resize(Math.max(1, Math.floor(this.rowCount * COVERED)));
  }

  /**
   * @param {{id: string, text: string, username?: string, isOwn?: boolean}} message
   */
  show({ id, text, username = "", isOwn = false }) {
    if (!this.isOn || document.hidden || !this.room || this.layer.childElementCount >= MOST_AT_ONCE) return;
    const flying = document.createElement("span");
    flying.textContent = text.slice(0, LONGEST);
    flying.dataset.id = id;
    flying.dataset.username = username;
    flying.classList.toggle("is-own", isOwn);
    this.layer.append(flying);
    const width = flying.offsetWidth;
    const lane = this.lanes.take({ width, room: this.room, flight_ms: FLIGHT_MS });
    if (lane < 0) return flying.remove();
    flying.style.setProperty("--row", String(lane));
    const from = `translateX(${this.room}px)`;
    const flight = flying.animate([{ transform: from }, { transform: `translateX(${-width}px)` }], FLIGHT_MS);
    flight.onfinish = () => flying.remove();
    return undefined;
  }

  /**
   * Remove the messages that a moderator removed, by message or by person.
   * @param {{id?: string, username?: string}} removed
   */
  remove({ id, username }) {
    for (const flying of /** @type {HTMLElement[]} */ ([...this.layer.children])) {
      if (flying.dataset.id === id || (username && flying.dataset.username === username)) flying.remove();
    }
  }
}
