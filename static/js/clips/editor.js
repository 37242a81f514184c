/**
 * ``<clip-editor>``: a strip of stills below the player with two handles, and the title of the clip.
 * The page's own player previews the section in a loop.
 */

import { ClipRange } from "#clips/range";
import { ApiError, call } from "#lib/api";
import { define, part } from "#lib/element";
import { wordsOf } from "#lib/words";
import { clock } from "#player/timeline";

const STILL_PX = 48; // height
/** A glance at the end of the section, after its handle was moved. */
const LAST_S = 2;

/** @type {Record<string, number>} */
const STEPS_S = { ArrowLeft: -0.1, ArrowDown: -0.1, ArrowRight: 0.1, ArrowUp: 0.1, PageDown: -1, PageUp: 1 };

export class ClipEditor extends HTMLElement {
  connectedCallback() {
    if (this.words) return;
    this.words = wordsOf(this);
    this.player = /** @type {any} */ (document.querySelector("video-player"));
    this.strip = part(this, "strip");
    this.chosen = part(this, "chosen");
    this.startHandle = part(this, "start");
    this.endHandle = part(this, "end");
    this.form = part(this, "form");
    this.made = part(this, "made");
    this.error = part(this, "error");
    this.opener = document.querySelector("[data-clip-opener]");
    this.opener?.addEventListener("click", () => (this.hidden ? this.open() : this.close()));
    for (const button of this.querySelectorAll("[data-close]")) button.addEventListener("click", () => this.close());
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.send();
    });
    this.listenOnStrip();
  }

  disconnectedCallback() {
    this.leaving?.abort();
  }

  async open() {
    await customElements.whenDefined("video-player");
    const range = new ClipRange({ at: this.player.currentTime, until: this.player.available });
    if (!range.isPossible) return;
    this.range = range;
    this.hidden = false;
    this.made.hidden = true;
    this.form.hidden = false;
    this.error.hidden = true;
    this.opener.setAttribute("aria-expanded", "true");
    this.leaving = new AbortController();
    const { signal } = this.leaving;
    const video = this.player.querySelector("video");
    video.addEventListener("timeupdate", () => this.onTime(), { signal });
    video.addEventListener("ended", () => this.loop(true), { signal });
    this.show();
    this.drawStills();
    this.loop(true);
    this.scrollIntoView({ block: "nearest" });
    this.startHandle.focus({ preventScroll: true });
  }

  close() {
    this.leaving?.abort();
    this.hidden = true;
    this.opener.setAttribute("aria-expanded", "false");
    this.opener.focus({ preventScroll: true });
  }

  onTime() {
    if (!this.isDragged) this.loop();
    this.strip.style.setProperty("--now", String(this.range.share(this.player.currentTime)));
  }

  /**
   * Keep the preview inside the section.
   * @param {boolean} [again] begin anew in any case
   */
  loop(again = false) {
    const { player, range } = this;
    const seconds = again ? range.start : range.looped(player.currentTime);
    if (seconds === null) return;
    player.currentTime = seconds;
    if (again) player.play()?.catch(() => {});
  }

  listenOnStrip() {
    const { chosen, startHandle, endHandle } = this;
    this.listenOnDrag(startHandle, (seconds) => this.range.moveStart(seconds));
    this.listenOnDrag(endHandle, (seconds) => this.range.moveEnd(seconds));
    let held = 0;
    chosen.addEventListener("pointerdown", (event) => (held = this.timeAt(event) - this.range.start));
    this.listenOnDrag(chosen, (seconds) => this.range.moveBy(seconds - held - this.range.start));
    startHandle.addEventListener("keydown", (event) => this.onKey(event, (by) => this.range.moveStart(this.range.start + by)));
    endHandle.addEventListener("keydown", (event) => this.onKey(event, (by) => this.range.moveEnd(this.range.end + by)));
  }

  /**
   * @param {HTMLElement} element
   * @param {(seconds: number) => void} move
   */
  listenOnDrag(element, move) {
    element.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      event.preventDefault();
      element.setPointerCapture(event.pointerId);
      if (element !== this.chosen) element.focus({ preventScroll: true });
      this.isDragged = true;
    });
    element.addEventListener("pointermove", (event) => {
      if (!element.hasPointerCapture(event.pointerId)) return;
      move(this.timeAt(event));
      this.show();
    });
    for (const name of ["pointerup", "pointercancel"]) element.addEventListener(name, () => this.drop(element));
  }

  /** @param {HTMLElement} element */
  drop(element) {
    if (!this.isDragged) return;
    this.isDragged = false;
    if (element === this.endHandle) this.player.currentTime = Math.max(this.range.start, this.range.end - LAST_S);
    else this.loop(true);
  }

  /**
   * @param {KeyboardEvent} event
   * @param {(by: number) => void} move
   */
  onKey(event, move) {
    const by = STEPS_S[event.key];
    if (!by) return;
    event.preventDefault(); // the player would seek
    move(event.shiftKey ? by * 10 : by);
    this.show();
  }

  /** @param {PointerEvent} event */
  timeAt(event) {
    const box = this.strip.getBoundingClientRect();
    const { from, to } = this.range.strip;
    return from + ((event.clientX - box.left) / box.width) * (to - from);
  }

  show() {
    const { range, strip, startHandle, endHandle } = this;
    strip.style.setProperty("--start", String(range.share(range.start)));
    strip.style.setProperty("--end", String(range.share(range.end)));
    part(this, "times").textContent = this.words("times", { start: clock(range.start), end: clock(range.end) });
    part(this, "length").textContent = this.words("length", { seconds: range.length.toFixed(1) });
    this.describe(startHandle, range.start);
    this.describe(endHandle, range.end);
  }

  /**
   * @param {HTMLElement} handle
   * @param {number} seconds
   */
  describe(handle, seconds) {
    const { from, to } = this.range.strip;
    const values = { valuemin: from, valuemax: to, valuenow: seconds, valuetext: `${clock(seconds)}.${Math.round(seconds * 10) % 10}` };
    for (const [name, value] of Object.entries(values)) handle.setAttribute(`aria-${name}`, String(value));
  }

  async drawStills() {
    const { storyboard } = this.player;
    await storyboard.open();
    const first = storyboard.at(this.range.strip.from);
    if (!first) return;
    const width = (first.width * STILL_PX) / first.height;
    const count = Math.max(1, Math.ceil(this.strip.clientWidth / width));
    const stills = this.range.times(count).map((seconds) => {
      const element = document.createElement("span");
      const still = storyboard.at(seconds) ?? first;
      const draw = () => storyboard.draw(element, still, STILL_PX / still.height, draw);
      draw();
      return element;
    });
    part(this, "stills").replaceChildren(...stills);
  }

  async send() {
    const button = /** @type {HTMLButtonElement} */ (this.form.querySelector("[type=submit]"));
    const { start, end } = this.range;
    this.error.hidden = true;
    button.disabled = true;
    try {
      const asked = { title: part(this, "title").value, start_s: start, end_s: end };
      this.showMade(await call("POST", `videos/${this.dataset.video}/clips/`, asked));
    } catch (error) {
      this.error.textContent = (error instanceof ApiError && error.message) || this.words("failed");
      this.error.hidden = false;
    } finally {
      button.disabled = false;
    }
  }

  /** @param {{url: string}} clip */
  showMade(clip) {
    this.leaving?.abort();
    this.player.pause();
    this.form.hidden = true;
    this.made.hidden = false;
    part(this.made, "text").value = clip.url;
    const link = part(this.made, "open");
    link.setAttribute("href", clip.url);
    link.focus();
  }
}

define("clip-editor", ClipEditor);
