/** Buttons, bars and messages over the frames. They show the state of the player and ask it to act; they decide nothing. */

import { part } from "#lib/element";
import { SeekBar } from "#player/seek-bar";
import { TouchGestures } from "#player/touch";

const IDLE_MS = 2600;
const FLASH_MS = 700;

export class Controls {
  /**
   * @param {import("#player/shell").PlayerShell<any, any>} player
   * @param {import("#lib/words").Words} words
   */
  constructor(player, words) {
    this.player = player;
    this.words = words;
    player.append(player.querySelector("template[data-controls]").content.cloneNode(true));
    this.icons = player.querySelector("template[data-icons]").content;
    this.seekBar = new SeekBar(player, words);
    this.bar = part(player, "bar");
    this.volume = part(player, "volume");
    this.volumeInput = part(player, "volume-input");
    this.play = part(player, "play");
    this.mute = part(player, "mute");
    this.unmute = part(player, "unmute");
    this.captions = part(player, "captions");
    this.settings = part(player, "settings");
    this.badge = part(player, "badge");
    this.pip = part(player, "pip");
    this.menu = part(player, "menu");
    this.error = part(player, "error");
    this.errorText = part(player, "error-text");
    this.waiting = part(player, "waiting");
    this.big = part(player, "big");
    this.flashElement = part(player, "flash");
    this.centre = part(player, "centre");
    this.centrePlay = part(player, "centre-play");
    this.gestures = new TouchGestures(player, () => this.onTap());
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
      if (!button || !player.contains(button)) return;
      // A tap that woke the controls was meant for the frames, not for a button that it made appear.
      if (this.wasIdle && this.centre.contains(button)) this.wasIdle = false;
      else player.run({ do: button.dataset.do });
    });
    this.volumeInput.addEventListener("input", () => player.setVolume(Number(this.volumeInput.value)));
    for (const name of ["pointermove", "pointerdown", "keydown", "focusin"]) {
      player.addEventListener(name, (event) => this.wake(event));
    }
    player.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && this.rest());
    this.listenOnPicture();
  }

  /** Let a click play and a double click fill the screen; fingers have gestures of their own. */
  listenOnPicture() {
    const { player } = this;
    let isTouch = false;
    player.video.addEventListener("click", (/** @type {PointerEvent} */ event) => {
      if (player.menu.isOpen) return player.menu.close(false);
      isTouch = event.pointerType === "touch";
      if (!isTouch) return player.run({ do: "play" });
      return this.gestures.tap(event);
    });
    // It is a MouseEvent and does not tell which pointer it came from.
    player.video.addEventListener("dblclick", () => {
      if (!isTouch && matchMedia("(hover: hover)").matches) player.run({ do: "fullscreen" });
    });
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

  /** Hide the controls, unless they are in use: a mouse may rest on a position of the seek bar. */
  rest() {
    const isPointedAt = this.bar.matches(":hover") && matchMedia("(hover: hover)").matches;
    const isWriting = this.bar.contains(document.activeElement) && document.activeElement.matches("input[name]");
    if (!this.player.menu?.isOpen && !this.seekBar.isDragged && !isPointedAt && !isWriting) this.player.classList.add("is-idle");
  }

  showTime() {
    this.seekBar.showTime();
  }

  showPlaying() {
    const { ended } = this.player;
    const isPlaying = !this.player.paused && !ended;
    this.player.classList.toggle("is-playing", isPlaying);
    this.player.classList.toggle("is-ended", ended);
    if (isPlaying) this.player.classList.remove("is-fresh");
    const word = this.words(isPlaying ? "pause" : ended ? "replay" : "play");
    this.name(this.play, word, "k");
    this.big.setAttribute("aria-label", word);
    this.centrePlay.setAttribute("aria-label", word);
    this.wake();
  }

  showVolume() {
    const { video } = this.player;
    const level = video.muted ? 0 : this.player.volume;
    this.player.dataset.loudness = level === 0 ? "muted" : level < 0.5 ? "low" : "high";
    this.volume.style.setProperty("--level", String(level));
    this.volumeInput.value = level;
    this.volumeInput.setAttribute("aria-valuetext", this.words("volume", { percent: Math.round(level * 100) }));
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

  /**
   * @param {boolean} isWaiting
   * @param {string} [sentence] empty: only the ring
   */
  showWaiting(isWaiting, sentence = "") {
    this.player.classList.toggle("is-waiting", isWaiting);
    if (this.waiting.textContent !== sentence) this.waiting.textContent = sentence;
  }

  /** @param {string} sentence empty: no error */
  showError(sentence) {
    this.error.hidden = !sentence;
    this.errorText.textContent = sentence;
    if (sentence) this.showWaiting(false);
  }

  /**
   * Show the effect of a key for a moment.
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
