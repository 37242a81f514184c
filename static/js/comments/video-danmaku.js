/**
 * ``<video-danmaku>``: below the player, the switch, the choices and the line one
 * writes in. It feeds the layer over the frames as the playhead moves.
 */

import { Buckets } from "#comments/buckets";
import { RecentDanmaku } from "#comments/recent-danmaku";
import { filtered, USUAL } from "#comments/taste";
import { TimedDanmaku } from "#comments/timed-danmaku";
import { ApiError, call } from "#lib/api";
import { define, part } from "#lib/element";
import { recall, remember } from "#lib/store";
import { wordsOf } from "#lib/words";
import { toast } from "#ui/toast";

const AT_LEISURE_MS = 2000;
const LATE_S = 4; // later messages are dropped

class VideoDanmaku extends HTMLElement {
  async connectedCallback() {
    await customElements.whenDefined("video-player");
    this.player = document.querySelector("video-player");
    if (!this.player || this.danmaku) return;
    this.video = this.player.querySelector("video");
    this.words = wordsOf(this);
    this.buckets = new Buckets({ size_s: Number(this.dataset.bucket), read: (from, to) => this.read(from, to) });
    this.danmaku = new TimedDanmaku(this.makeLayer());
    this.recent = new RecentDanmaku(/** @type {HTMLDetailsElement} */ (part(this, "recent")), {
      row: /** @type {HTMLTemplateElement} */ (this.querySelector("template[data-row]")),
      words: this.words,
      mayDelete: (one) => one.isOwn || ("moderates" in this.dataset && one.kind === "danmaku"),
      onDelete: (one) => this.delete(one),
    });
    this.form = /** @type {?HTMLFormElement} */ (part(this, "write"));
    this.shownUntil = this.video.currentTime;
    this.loadChoices();
    this.listen();
    this.hidden = false;
  }

  disconnectedCallback() {
    this.leaving?.abort();
    this.danmaku?.close();
  }

  /** Return a layer over the frames and below the controls. */
  makeLayer() {
    const layer = document.createElement("div");
    layer.className = "danmaku";
    layer.dataset.part = "flying";
    layer.setAttribute("aria-hidden", "true");
    this.video.after(layer);
    const button = this.querySelector("template[data-button]").content.cloneNode(true);
    part(this.player, "captions").before(button);
    return layer;
  }

  listen() {
    this.leaving = new AbortController();
    const { signal } = this.leaving;
    const { video, danmaku } = this;
    /**
     * @param {string} names
     * @param {(event: any) => void} act
     * @param {EventTarget} [target]
     */
    const on = (names, act, target = video) => {
      for (const name of names.split(" ")) target.addEventListener(name, act, { signal });
    };
    on("timeupdate", () => this.onTime());
    on("seeking", () => this.jump());
    on("playing", () => danmaku.follow({ isFrozen: false }));
    on("pause waiting ended seeking", () => danmaku.follow({ isFrozen: true }));
    on("ratechange", () => danmaku.follow({ rate: video.playbackRate }));
    on("player-danmaku", () => this.turn(!danmaku.isOn), this.player);
    on("text-removed", ({ detail }) => detail.kind === "danmaku" && detail.ids.forEach((/** @type {string} */ id) => this.drop(id)), document);
    on("text-restored", ({ detail }) => detail.kind === "danmaku" && this.restore(detail.ids), document);
    on("text-missed", () => this.buckets.refresh(), document);
    on("click", () => this.turn(!danmaku.isOn), part(this, "switch"));
    on("change input", () => this.choose(), part(this, "taste"));
    on("submit", (event) => event.preventDefault(), part(this, "taste"));
    const { form } = this;
    if (!form) return;
    on("fullscreenchange", () => this.placeForm(), this.player);
    on("submit", (event) => this.send(event), form);
    on("change", () => this.takeStyle(), form);
  }

  loadChoices() {
    this.taste = { ...USUAL, ...recall("danmaku-taste", {}) };
    fill(/** @type {HTMLFormElement} */ (part(this, "taste")), this.taste);
    this.danmaku.limit(this.taste.share);
    const { form } = this;
    if (form) {
      for (const swatch of /** @type {any} */ (form.elements).color) swatch.style.setProperty("--swatch", swatch.value);
      fill(form, recall("danmaku-style", {}));
      this.takeStyle();
    }
    this.turn(recall("danmaku", !matchMedia("(prefers-reduced-motion: reduce)").matches), false);
  }

  /**
   * @param {boolean} isOn
   * @param {boolean} [isChosen] by the person, now
   */
  turn(isOn, isChosen = true) {
    this.danmaku.switchTo(isOn);
    this.danmaku.measure();
    this.danmaku.follow({ isFrozen: this.video.paused, rate: this.video.playbackRate });
    for (const button of [part(this, "switch"), part(this.player, "danmaku")]) {
      button.setAttribute("aria-pressed", String(isOn));
    }
    if (isOn) this.buckets.want(this.video.currentTime);
    if (!isChosen) return;
    remember("danmaku", isOn);
    this.player.controls.flash(this.words(isOn ? "on" : "off"));
  }

  choose() {
    const form = part(this, "taste");
    const checked = (/** @type {string} */ name) => form.elements[name].checked;
    const [scroll, top, bottom, color] = ["scroll", "top", "bottom", "color"].map(checked);
    this.taste = { scroll, top, bottom, color, share: Number(form.elements.share.value), words: form.elements.words.value };
    remember("danmaku-taste", this.taste);
    this.danmaku.limit(this.taste.share);
  }

  takeStyle() {
    const { mode, color } = this.styled();
    remember("danmaku-style", { mode, color });
    this.form.style.setProperty("--swatch", color);
  }

  /** Move the field into the bar of the player in full screen, where nothing else of the page is shown. */
  placeForm() {
    const isFull = document.fullscreenElement === this.player;
    if (isFull) part(this.player, "room").append(this.form);
    else part(this, "form-place").after(this.form);
  }

  styled() {
    const elements = /** @type {any} */ (this.form.elements);
    return { mode: elements.mode.value || "scroll", color: elements.color.value || "#ffffff" };
  }

  /**
   * @param {number} from_s
   * @param {number} to_s
   */
  async read(from_s, to_s) {
    // Revalidated each time, mostly with a 304: new and removed messages count at once.
    const page = await call("GET", `${this.dataset.api}?from_s=${from_s}&to_s=${to_s}`, undefined, { cache: "no-cache" });
    return page.results;
  }

  onTime() {
    const now = this.video.currentTime;
    if (this.danmaku.isOn) this.buckets.want(now);
    // The messages here are still being read and are shown once they are there.
    if (this.danmaku.isOn && !this.buckets.has(now)) return;
    const since = Math.max(this.shownUntil, now - LATE_S);
    this.shownUntil = now;
    if (!this.danmaku.isOn || this.video.seeking) return;
    for (const one of this.buckets.due(since, now)) this.show(one);
  }

  /** @param {import("#comments/buckets").Flying} one */
  show(one) {
    const shown = filtered(one, this.taste);
    if (!shown) return;
    this.danmaku.show(shown);
    this.recent.add(shown);
  }

  jump() {
    this.shownUntil = this.video.currentTime;
    this.danmaku.clear();
  }

  /** @param {SubmitEvent} event */
  async send(event) {
    event.preventDefault();
    const { text } = /** @type {any} */ (this.form.elements);
    const asked = { offset_ms: Math.floor(this.video.currentTime * 1000), text: text.value, ...this.styled() };
    if (!text.value.trim() || this.isSending) return;
    this.isSending = true;
    try {
      const posted = await call("POST", this.dataset.api, asked);
      text.value = "";
      if (!this.danmaku.isOn) this.turn(true);
      this.buckets.add(posted);
      this.show({ ...posted, isOwn: true });
      // The keyboard of a phone covers the frames.
      if (this.player.contains(text)) text.blur();
    } catch (error) {
      toast(error instanceof ApiError && error.message ? error.message : this.words("lost"));
    } finally {
      this.isSending = false;
    }
  }

  /** @param {import("#comments/buckets").Flying} one */
  async delete({ id }) {
    try {
      await call("DELETE", `danmaku/${id}/`);
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 404) return toast(error.message || this.words("lost"));
    }
    this.drop(id);
    return undefined;
  }

  /** @param {string} id */
  drop(id) {
    this.danmaku.remove({ id });
    this.buckets.remove(id);
    this.recent.remove(id);
  }

  /** @param {string[]} ids */
  restore(ids) {
    for (const id of ids) this.buckets.restore(id);
    // A thousand pages do not ask in the same instant.
    setTimeout(() => this.buckets.refresh(), Math.random() * AT_LEISURE_MS);
  }
}

/**
 * Fill the fields with the last values; values that are no longer offered are ignored.
 * @param {HTMLFormElement} form
 * @param {Record<string, unknown>} values
 */
function fill(form, values) {
  for (const [name, value] of Object.entries(values)) {
    const field = /** @type {any} */ (form.elements.namedItem(name));
    if (field instanceof RadioNodeList) {
      for (const radio of field) radio.checked = radio.value === String(value) || (radio.checked && !offers(field, value));
    } else if (field?.type === "checkbox") field.checked = Boolean(value);
    else if (field) field.value = String(value);
  }
}

/**
 * @param {RadioNodeList} radios
 * @param {unknown} value
 */
function offers(radios, value) {
  return [...radios].some((radio) => radio.value === String(value));
}

define("video-danmaku", VideoDanmaku);
