/**
 * ``<trim-editor>``: stills of the whole video with handles for the kept and cut parts. The player beside it shows
 * the frame at a handle that moves, and previews the kept parts.
 */

import { readTime, writeTime } from "#captions/track";
import { ApiError, call } from "#lib/api";
import { define, part } from "#lib/element";
import { wordsOf } from "#lib/words";
import { clock } from "#player/timeline";
import { TrimCuts } from "#trim/cuts";

const STILL_PX = 56; // height
const MOST_STILLS = 300;
const MOST_ZOOM = 64;
/** Before a cut, the last frame that stays is shown. */
const LAST_FRAME = 1;

/** @typedef {{number: number, edge: "start" | "end"}} Handle */

class TrimEditor extends HTMLElement {
  connectedCallback() {
    if (this.words) return;
    // The player brings parts and words of its own.
    this.desk = part(this, "desk");
    this.words = wordsOf(this.desk);
    this.player = /** @type {any} */ (this.querySelector("[data-player]"));
    this.frame = 1 / (Number(this.dataset.frameRate) || 30);
    this.cuts = new TrimCuts(Number(this.dataset.duration));
    this.scroller = part(this.desk, "scroller");
    this.strip = part(this.desk, "strip");
    this.list = part(this.desk, "list");
    this.zoom = 1;
    /** @type {Map<string, HTMLElement>} by section and edge */
    this.handles = new Map();
    /** @type {boolean} */
    this.isPreviewing = false;
    this.isSent = false;
    this.desk.addEventListener("click", (event) => this.onClick(event));
    this.list.addEventListener("change", (event) => this.onTyped(event));
    this.addEventListener("keydown", (event) => this.onKey(event), { capture: true });
    this.strip.addEventListener("pointerdown", (event) => this.onStrip(event));
    this.strip.addEventListener("click", (event) => this.onTap(event));
    this.media = /** @type {HTMLVideoElement} */ (this.player.querySelector("video"));
    for (const name of ["timeupdate", "seeking"]) this.media.addEventListener(name, () => this.onTime());
    for (const name of ["pause", "ended"]) this.media.addEventListener(name, () => this.preview(false));
    window.addEventListener("beforeunload", (event) => {
      if (this.cuts.isChanged && !this.isSent) event.preventDefault();
    });
    new ResizeObserver(() => this.drawStills()).observe(this.scroller);
    this.show();
  }

  get at() {
    return this.player.currentTime ?? 0;
  }

  /** @param {number} seconds */
  seek(seconds) {
    this.player.currentTime = Math.min(Math.max(0, seconds), this.cuts.duration - this.frame / 2);
  }

  /** @param {MouseEvent} event */
  onClick(event) {
    const button = /** @type {HTMLElement} */ (event.target).closest("[data-do]");
    if (!(button instanceof HTMLElement)) return;
    const number = Number(button.dataset.number ?? -1);
    const acts = {
      undo: () => this.cuts.undo(),
      redo: () => this.cuts.redo(),
      cut: () => this.addCut(),
      remove: () => this.cuts.remove(number),
      here: () => this.setHere({ number, edge: /** @type {"start" | "end"} */ (button.dataset.edge) }),
      go: () => this.seek(this.timeShown({ number, edge: /** @type {"start" | "end"} */ (button.dataset.edge) })),
      preview: () => this.preview(!this.isPreviewing),
      "zoom-in": () => this.setZoom(this.zoom * 2),
      "zoom-out": () => this.setZoom(this.zoom / 2),
      save: () => this.save(),
    };
    acts[/** @type {keyof typeof acts} */ (button.dataset.do)]?.();
    this.show();
  }

  addCut() {
    const number = this.cuts.add(this.at);
    this.say(number < 0 ? this.words("no-room") : "");
    this.show();
    if (number >= 0) this.handles.get(`${number}-end`)?.focus({ preventScroll: true });
  }

  /** @param {Handle} handle */
  setHere({ number, edge }) {
    this.cuts.record();
    this.cuts.move(number, edge, this.at);
  }

  /**
   * Return the time of the frame that tells most about a handle: the first or the last one that stays.
   * @param {Handle} handle
   */
  timeShown({ number, edge }) {
    const section = number < 0 ? this.cuts.outer : this.cuts.cuts[number];
    const isLastKept = (number < 0) === (edge === "end");
    return section[edge] - (isLastKept ? LAST_FRAME * this.frame : 0) + this.frame / 4;
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    const target = /** @type {HTMLElement} */ (event.target);
    if (event.key.toLowerCase() === "z" && (event.ctrlKey || event.metaKey) && !target.matches("input")) {
      event.preventDefault();
      if (event.shiftKey) this.cuts.redo();
      else this.cuts.undo();
      this.show();
      return;
    }
    if (!target.matches("[role=slider][data-edge]")) return;
    const steps = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -10, PageUp: 10 };
    const step = steps[/** @type {keyof typeof steps} */ (event.key)];
    const handle = handleOf(target);
    if (!step) {
      if (!["Delete", "Backspace"].includes(event.key) || handle.number < 0) return;
      event.preventDefault();
      this.cuts.remove(handle.number);
      this.show();
      part(this.desk, "cut").focus();
      return;
    }
    event.preventDefault(); // the player would seek
    event.stopPropagation();
    const by = Math.abs(step) > 1 || event.shiftKey ? Math.sign(step) * (Math.abs(step) > 1 ? 10 : 1) : step * this.frame;
    // A held key is one step of undo.
    if (!event.repeat) this.cuts.record();
    const section = handle.number < 0 ? this.cuts.outer : this.cuts.cuts[handle.number];
    this.cuts.move(handle.number, handle.edge, section[handle.edge] + by);
    this.seek(this.timeShown(handle));
    this.show();
  }

  /** @param {PointerEvent} event */
  onStrip(event) {
    if (event.button) return;
    const target = /** @type {HTMLElement} */ (event.target);
    const handle = target.matches("[role=slider]") ? handleOf(target) : null;
    // A finger beside the handles scrolls the strip; a tap still seeks.
    this.isTouched = !handle && event.pointerType !== "mouse";
    if (this.isTouched) return;
    event.preventDefault();
    this.preview(false);
    const held = handle ? target : this.strip;
    held.setPointerCapture(event.pointerId);
    if (handle) {
      target.focus({ preventScroll: true });
      this.cuts.record();
    } else this.seek(this.timeAt(event.clientX));
    const moving = new AbortController();
    const { signal } = moving;
    const onMove = (/** @type {PointerEvent} */ move) => {
      const seconds = this.timeAt(move.clientX);
      if (handle) {
        this.cuts.move(handle.number, handle.edge, seconds);
        this.seek(this.timeShown(handle));
      } else this.seek(seconds);
      this.show();
    };
    held.addEventListener("pointermove", onMove, { signal });
    for (const name of ["pointerup", "pointercancel"]) held.addEventListener(name, () => moving.abort(), { signal });
  }

  /** @param {MouseEvent} event */
  onTap(event) {
    if (this.isTouched) this.seek(this.timeAt(event.clientX));
  }

  /** @param {number} x */
  timeAt(x) {
    const box = this.strip.getBoundingClientRect();
    return ((x - box.left) / box.width) * this.cuts.duration;
  }

  /** @param {Event} event */
  onTyped(event) {
    const input = /** @type {HTMLInputElement} */ (event.target);
    if (!input.dataset.edge) return;
    const handle = handleOf(input);
    const ms = readTime(input.value);
    if (ms !== null) {
      this.cuts.record();
      this.cuts.move(handle.number, handle.edge, ms / 1000);
      this.seek(this.timeShown(handle));
    }
    this.show();
  }

  /** @param {boolean} isOn */
  preview(isOn) {
    if (this.isPreviewing === isOn) return;
    this.isPreviewing = isOn;
    if (isOn) {
      this.seek(this.cuts.shown(this.at) ?? this.cuts.outer.start);
      this.player.play()?.catch(() => {});
      this.skip();
    } else if (!this.media.paused) this.player.pause();
    this.showPreview();
  }

  /** Jump over cut parts, frame by frame: ``timeupdate`` comes too rarely. */
  skip() {
    if (!this.isPreviewing) return;
    if (!this.media.seeking && !this.media.paused) {
      const shown = this.cuts.shown(this.at);
      if (shown === null) return this.preview(false);
      if (shown > this.at) this.seek(shown + this.frame / 4);
    }
    requestAnimationFrame(() => this.skip());
  }

  onTime() {
    this.strip.style.setProperty("--now", String(this.at / this.cuts.duration));
  }

  /** @param {number} zoom */
  setZoom(zoom) {
    const before = this.zoom;
    this.zoom = Math.min(Math.max(1, zoom), MOST_ZOOM);
    if (this.zoom === before) return;
    this.strip.style.inlineSize = `${this.zoom * 100}%`;
    this.drawStills();
    // The playhead stays in the middle.
    const { clientWidth } = this.scroller;
    this.scroller.scrollLeft = (this.at / this.cuts.duration) * clientWidth * this.zoom - clientWidth / 2;
  }

  show() {
    const { cuts, strip } = this;
    const sections = [{ number: -1, ...cuts.outer }, ...cuts.cuts.map((cut, number) => ({ number, ...cut }))];
    const share = (/** @type {number} */ seconds) => `${(seconds / cuts.duration) * 100}%`;
    const wanted = new Set();
    for (const { number, start, end } of sections) {
      for (const [edge, seconds] of /** @type {["start" | "end", number][]} */ ([["start", start], ["end", end]])) {
        const key = `${number}-${edge}`;
        wanted.add(key);
        const handle = this.handles.get(key) ?? this.makeHandle(number, edge);
        handle.style.insetInlineStart = share(seconds);
        this.describe(handle, number, edge, seconds);
      }
    }
    for (const [key, handle] of this.handles) {
      if (wanted.has(key)) continue;
      handle.remove();
      this.handles.delete(key);
    }
    const shades = [
      { start: 0, end: cuts.outer.start },
      ...cuts.cuts,
      { start: cuts.outer.end, end: cuts.duration },
    ].map(({ start, end }) => {
      const shade = document.createElement("span");
      shade.className = "trim-shade";
      shade.style.insetInlineStart = share(start);
      shade.style.inlineSize = share(end - start);
      return shade;
    });
    part(this.desk, "shades").replaceChildren(...shades);
    strip.style.setProperty("--now", String(this.at / cuts.duration));
    this.showList(sections);
    this.showSummary();
    this.showPreview();
    part(this.desk, "undo").disabled = !cuts.past.length;
    part(this.desk, "redo").disabled = !cuts.future.length;
    part(this.desk, "zoom-out").disabled = this.zoom <= 1;
    part(this.desk, "zoom-in").disabled = this.zoom >= MOST_ZOOM;
  }

  /**
   * @param {number} number
   * @param {"start" | "end"} edge
   */
  makeHandle(number, edge) {
    const handle = document.createElement("div");
    handle.className = `trim-handle is-${edge}${number < 0 ? " is-outer" : ""}`;
    handle.setAttribute("role", "slider");
    handle.tabIndex = 0;
    handle.dataset.number = String(number);
    handle.dataset.edge = edge;
    part(this.desk, "handles").append(handle);
    this.handles.set(`${number}-${edge}`, handle);
    return handle;
  }

  /**
   * @param {HTMLElement} handle
   * @param {number} number
   * @param {"start" | "end"} edge
   * @param {number} seconds
   */
  describe(handle, number, edge, seconds) {
    const [low, high] = this.cuts.bounds(number, edge);
    const text = writeTime(Math.round(seconds * 1000));
    const label = this.words(number < 0 ? edge : `cut-${edge}`, { number: number + 1 });
    const values = { label, valuemin: low, valuemax: high, valuenow: seconds, valuetext: text };
    for (const [name, value] of Object.entries(values)) handle.setAttribute(`aria-${name}`, String(value));
  }

  /** @param {{number: number, start: number, end: number}[]} sections */
  showList(sections) {
    const pattern = part(this.desk, "row").content.firstElementChild;
    while (this.list.children.length > sections.length) this.list.lastElementChild.remove();
    while (this.list.children.length < sections.length) this.list.append(pattern.cloneNode(true));
    for (const [place, { number, ...times }] of sections.entries()) {
      const row = /** @type {HTMLElement} */ (this.list.children[place]);
      const name = number < 0 ? this.words("whole") : this.words("cut", { number: number + 1 });
      row.classList.toggle("is-cut", number >= 0);
      part(row, "name").textContent = name;
      for (const edge of /** @type {("start" | "end")[]} */ (["start", "end"])) {
        const field = part(row, edge);
        field.dataset.number = String(number);
        field.setAttribute("aria-label", this.words(number < 0 ? edge : `cut-${edge}`, { number: number + 1 }));
        if (document.activeElement !== field) field.value = writeTime(Math.round(times[edge] * 1000));
        part(row, `${edge}-here`).dataset.number = String(number);
      }
      const remove = part(row, "remove");
      remove.hidden = number < 0;
      remove.dataset.number = String(number);
      remove.setAttribute("aria-label", `${this.words("remove")}: ${name}`);
    }
  }

  showSummary() {
    const { cuts } = this;
    const lengths = { before: clock(cuts.duration), after: clock(cuts.length) };
    part(this.desk, "lengths").textContent = cuts.isChanged ? this.words("lengths", lengths) : lengths.before;
    part(this.desk, "summary").textContent = cuts.isChanged
      ? this.words("summary", { cut: writeTime(Math.round((cuts.duration - cuts.length) * 1000)), ...lengths })
      : this.words("unchanged");
    part(this.desk, "estimate").hidden = !cuts.isChanged;
    const tooShort = cuts.length < 1;
    part(this.desk, "save").disabled = !cuts.isChanged || tooShort || this.isSent;
  }

  showPreview() {
    const button = part(this.desk, "preview");
    button.setAttribute("aria-pressed", String(this.isPreviewing));
    part(this.desk, "preview-word").textContent = this.words(this.isPreviewing ? "stop" : "preview");
  }

  /** @param {string} sentence */
  say(sentence) {
    const error = part(this.desk, "error");
    error.textContent = sentence;
    error.hidden = !sentence;
  }

  async drawStills() {
    const { storyboard } = this.player;
    if (!storyboard) return;
    await storyboard.open();
    const first = storyboard.at(0);
    if (!first) return;
    const width = (first.width * STILL_PX) / first.height;
    const count = Math.max(1, Math.min(MOST_STILLS, Math.ceil(this.strip.clientWidth / width)));
    const stills = Array.from({ length: count }, (_, number) => {
      const slot = document.createElement("span");
      const element = document.createElement("span");
      slot.append(element);
      const still = storyboard.at(((number + 0.5) * this.cuts.duration) / count) ?? first;
      const draw = () => storyboard.draw(element, still, STILL_PX / still.height, draw);
      draw();
      return slot;
    });
    part(this.desk, "stills").replaceChildren(...stills);
  }

  async save() {
    this.isSent = true;
    this.say("");
    this.showSummary();
    const parts = this.cuts.parts.map(({ start, end }) => ({ start_s: start, end_s: end }));
    try {
      await call("POST", `videos/${this.dataset.video}/edition/trim/`, { parts, encode_key: this.dataset.encode });
      location.reload();
    } catch (error) {
      this.isSent = false;
      this.say((error instanceof ApiError && error.message) || this.words("failed"));
      this.showSummary();
    }
  }
}

/**
 * @param {HTMLElement} element
 * @returns {Handle}
 */
function handleOf({ dataset }) {
  return { number: Number(dataset.number), edge: dataset.edge === "end" ? "end" : "start" };
}

define("trim-editor", TrimEditor);
