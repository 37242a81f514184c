/** What one sees and touches on the picture. It shows what the player says and asks it to act; it decides nothing. */

import { part } from "#lib/element";
import { clock } from "#player/timeline";

const IDLE_MS = 2600;
const DOUBLE_TAP_MS = 280;
const FLASH_MS = 700;

export class Controls {
  /**
   * @param {import("#player/video-player").VideoPlayer} player
   * @param {(name: string, values?: Record<string, string | number>) => string} words
   */
  constructor(player, words) {
    this.player = player;
    this.words = words;
    player.append(player.querySelector("template[data-controls]").content.cloneNode(true));
    this.icons = player.querySelector("template[data-icons]").content;
    for (const name of ["seek", "seek-input", "tip", "now", "length", "volume", "volume-input", "play", "mute"]) {
      this[name] = part(player, name);
    }
    for (const name of ["captions", "settings", "badge", "pip", "menu", "error", "error-text", "unmute", "waiting"]) {
      this[name] = part(player, name);
    }
    this.flashElement = part(player, "flash");
    this.listen();
  }

  /** @param {string} name */
  icon(name) {
    return this.icons.querySelector(`[data-icon="${name}"]`).firstElementChild.cloneNode(true);
  }

  listen() {
    const { player } = this;
    player.addEventListener("click", (event) => {
      const button = event.target.closest("[data-do]");
      if (button && player.contains(button)) player.run({ do: button.dataset.do });
    });
    this["seek-input"].addEventListener("input", () => player.seekTo(this["seek-input"].value * player.duration));
    this.seek.addEventListener("pointermove", (event) => this.showTip(event));
    this["volume-input"].addEventListener("input", () => player.setVolume(Number(this["volume-input"].value)));
    for (const name of ["pointermove", "pointerdown", "keydown", "focusin"]) {
      player.addEventListener(name, (event) => this.wake(event));
    }
    player.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && this.rest());
    this.listenOnPicture();
  }

  /** A click plays and a double click fills the screen; a tap shows the bar and a double tap at a side skips. */
  listenOnPicture() {
    const { player } = this;
    let lastTap = 0;
    player.video.addEventListener("click", (event) => {
      if (player.menu.isOpen) return player.menu.close(false);
      if (event.pointerType !== "touch") return player.run({ do: "play" });
      const isDouble = event.timeStamp - lastTap < DOUBLE_TAP_MS;
      lastTap = event.timeStamp;
      return isDouble ? this.onDoubleTap(event) : this.onTap();
    });
    player.video.addEventListener("dblclick", (event) => {
      if (event.pointerType !== "touch" && matchMedia("(hover: hover)").matches) player.run({ do: "fullscreen" });
    });
  }

  /** @param {MouseEvent} event */
  onDoubleTap(event) {
    const box = this.player.getBoundingClientRect();
    const side = (event.clientX - box.left) / box.width;
    if (side < 0.35) this.player.run({ do: "skip", value: -10 });
    else if (side > 0.65) this.player.run({ do: "skip", value: 10 });
    else this.player.run({ do: "fullscreen" });
  }

  onTap() {
    if (this.player.classList.contains("is-fresh")) this.player.run({ do: "play" });
    else if (this.wasIdle) this.wasIdle = false;
    else this.rest();
  }

  /** @param {Event} [event] */
  wake(event) {
    if (event?.type === "pointerdown") this.wasIdle = this.player.classList.contains("is-idle");
    this.player.classList.remove("is-idle");
    clearTimeout(this.idleTimer);
    this.idleTimer = setTimeout(() => this.rest(), IDLE_MS);
  }

  rest() {
    if (!this.player.menu?.isOpen) this.player.classList.add("is-idle");
  }

  // --- Showing --------------------------------------------------------------------

  showTime() {
    const { player } = this;
    const { duration, currentTime, available } = player;
    const share = (seconds) => (duration ? Math.min(1, seconds / duration) : 0);
    this.seek.style.setProperty("--played", share(currentTime));
    this.seek.style.setProperty("--buffered", share(player.bufferedUntil));
    this.seek.style.setProperty("--available", share(available));
    this.now.textContent = clock(currentTime);
    this.length.textContent = clock(duration);
    const input = this["seek-input"];
    input.value = share(currentTime);
    input.step = duration ? String(5 / duration) : "any";
    input.setAttribute("aria-valuetext", this.words("position", { now: clock(currentTime), length: clock(duration) }));
  }

  /** @param {PointerEvent} event */
  showTip(event) {
    const box = this.seek.getBoundingClientRect();
    const at = Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
    this.seek.style.setProperty("--at", at);
    this.tip.textContent = clock(at * this.player.duration);
  }

  showPlaying() {
    const { video } = this.player;
    const isPlaying = !video.paused && !video.ended;
    this.player.classList.toggle("is-playing", isPlaying);
    if (isPlaying) this.player.classList.remove("is-fresh");
    this.name(this.play, this.words(isPlaying ? "pause" : "play"), "k");
    this.wake();
  }

  showVolume() {
    const { video } = this.player;
    const level = video.muted ? 0 : video.volume;
    this.player.dataset.loudness = level === 0 ? "muted" : level < 0.5 ? "low" : "high";
    this.volume.style.setProperty("--level", level);
    this["volume-input"].value = level;
    this["volume-input"].setAttribute("aria-valuetext", this.words("volume", { percent: Math.round(level * 100) }));
    this.name(this.mute, this.words(level === 0 ? "unmute" : "mute"), "m");
    if (!video.muted) this.unmute.hidden = true;
  }

  /**
   * @param {HTMLElement} button
   * @param {string} label
   * @param {string} key
   */
  name(button, label, key) {
    button.setAttribute("aria-label", label);
    button.title = `${label} (${key})`;
  }

  /** @param {string} sentence empty: only the ring */
  showWaiting(isWaiting, sentence = "") {
    this.player.classList.toggle("is-waiting", isWaiting);
    if (this.waiting.textContent !== sentence) this.waiting.textContent = sentence;
  }

  /** @param {string} sentence empty: no error */
  showError(sentence) {
    this.error.hidden = !sentence;
    this["error-text"].textContent = sentence;
    if (sentence) this.showWaiting(false);
  }

  /**
   * Say for a moment what a key did.
   * @param {string} text
   * @param {string} [icon]
   */
  flash(text, icon) {
    this.flashElement.replaceChildren(...(icon ? [this.icon(icon)] : []), text);
    this.flashElement.classList.add("is-shown");
    clearTimeout(this.flashTimer);
    this.flashTimer = setTimeout(() => this.flashElement.classList.remove("is-shown"), FLASH_MS);
  }
}
