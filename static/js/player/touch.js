/**
 * Fingers on the frames: a tap shows or hides the controls, a double tap at a side skips, one in the
 * middle fills the screen, and holding plays faster.
 */

import { part } from "#lib/element";
import { TapCounter, zoneOf } from "#player/taps";

const SKIP_S = 10;
const HOLD_MS = 500;
const STILL_PX = 12;
const RIPPLE_MS = 650;

export class TouchGestures {
  /**
   * @param {import("#player/shell").PlayerShell<any, any>} player
   * @param {() => void} onTap a single tap
   */
  constructor(player, onTap) {
    this.player = player;
    this.onTap = onTap;
    this.taps = new TapCounter();
    this.ripple = part(player, "ripple");
    this.held = part(player, "held");
    this.isHeld = false;
    const { video } = player;
    video.addEventListener("pointerdown", (/** @type {PointerEvent} */ event) => this.press(event));
    video.addEventListener("pointermove", (/** @type {PointerEvent} */ event) => this.move(event));
    for (const name of ["pointerup", "pointercancel", "pointerleave"]) video.addEventListener(name, () => this.release());
    // A long press asks for the menu of the browser as well.
    video.addEventListener("contextmenu", (event) => (this.isHeld || this.timer) && event.preventDefault());
  }

  /** @param {PointerEvent} event */
  press({ pointerType, clientX, clientY }) {
    this.wasHeld = false;
    if (pointerType !== "touch" || this.player.paused || !this.player.clock.hasSpeeds) return;
    this.from = { clientX, clientY };
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.hold(), HOLD_MS);
  }

  /** @param {PointerEvent} event */
  move({ clientX, clientY }) {
    if (!this.timer || Math.hypot(clientX - this.from.clientX, clientY - this.from.clientY) < STILL_PX) return;
    clearTimeout(this.timer);
    this.timer = undefined;
  }

  hold() {
    this.timer = undefined;
    if (this.player.paused) return;
    const { video } = this.player;
    this.isHeld = true;
    this.usual = video.playbackRate;
    video.playbackRate = this.usual < 2 ? 2 : 3;
    this.showHeld(`${video.playbackRate}×`);
  }

  release() {
    clearTimeout(this.timer);
    this.timer = undefined;
    if (!this.isHeld) return;
    this.isHeld = false;
    this.wasHeld = true;
    this.player.video.playbackRate = this.usual;
    this.showHeld("");
  }

  /** @param {string} speed empty: no longer held */
  showHeld(speed) {
    this.player.classList.toggle("is-held", speed !== "");
    if (speed) part(this.player, "held-speed").textContent = speed;
  }

  /** @param {MouseEvent} event a click of a finger */
  tap(event) {
    if (this.wasHeld) {
      this.wasHeld = false;
      return;
    }
    const box = this.player.getBoundingClientRect();
    const zone = zoneOf((event.clientX - box.left) / box.width);
    const count = this.taps.tap(event.timeStamp, zone);
    if (count === 1) this.onTap();
    else if (zone !== 0) this.skip(zone, count - 1, event, box);
    else if (count === 2) this.player.run({ do: "fullscreen" });
  }

  /**
   * @param {number} zone
   * @param {number} times how often in a row
   * @param {MouseEvent} event
   * @param {{left: number, top: number}} box
   */
  skip(zone, times, event, box) {
    this.player.seekTo(this.player.shownTime + zone * SKIP_S);
    const { ripple } = this;
    ripple.dataset.side = zone < 0 ? "back" : "forward";
    ripple.style.setProperty("--x", `${event.clientX - box.left}px`);
    ripple.style.setProperty("--y", `${event.clientY - box.top}px`);
    part(this.player, "ripple-text").textContent = `${zone < 0 ? "−" : "+"}${times * SKIP_S} s`;
    ripple.classList.remove("is-shown");
    void ripple.offsetWidth; // begins its animation again
    ripple.classList.add("is-shown");
    clearTimeout(this.rippleTimer);
    this.rippleTimer = setTimeout(() => ripple.classList.remove("is-shown"), RIPPLE_MS);
  }
}
