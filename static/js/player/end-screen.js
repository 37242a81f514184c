/**
 * ``<end-screen data-next="/watch/…">``: over the last frame of a video, its next video after a
 * countdown, replay, and more of the channel. It stands inside of a player.
 */

import { define, part } from "#lib/element";
import { wordsOf } from "#lib/words";
import { PausableCountdown } from "#player/pausable-countdown";
import { recordTaste, taste } from "#player/memory";

const COUNT_S = 8;

export class EndScreen extends HTMLElement {
  async connectedCallback() {
    if (this.player) return;
    this.player = this.closest("[data-player]");
    this.words = wordsOf(this);
    this.countdown = new PausableCountdown({
      seconds: COUNT_S,
      isHeld: () => isBusy(),
      onTick: (left_s) => this.showLeft(left_s),
      onEnd: () => this.goOn(),
    });
    await customElements.whenDefined(this.player.localName);
    if (!this.isConnected) return;
    this.leaving = new AbortController();
    const { signal } = this.leaving;
    const video = this.player.querySelector("video");
    video.addEventListener("ended", () => this.player.ended && this.show(), { signal });
    for (const name of ["play", "playing", "seeking"]) video.addEventListener(name, () => this.hide(), { signal });
    this.addEventListener("click", (event) => this.onClick(event), { signal });
    document.addEventListener("keydown", (event) => this.onKey(event), { signal, capture: true });
    this.addEventListener("change", () => this.chooseAutoplay(), { signal });
    navigator.mediaSession?.setActionHandler?.("nexttrack", this.dataset.next ? () => this.goOn() : null);
  }

  disconnectedCallback() {
    this.leaving?.abort();
    this.countdown?.stop();
  }

  show() {
    this.hidden = false;
    this.player.classList.add("has-end");
    this.showFollow();
    const box = this.querySelector("[data-part=end-autoplay]");
    if (box) box.checked = taste().autoplay;
    if (this.dataset.next && taste().autoplay) this.count();
  }

  hide() {
    if (this.hidden) return;
    this.countdown.stop();
    this.showCounting(false);
    this.hidden = true;
    this.player.classList.remove("has-end");
  }

  count() {
    this.showCounting(true);
    this.countdown.start();
    part(this, "end-status").textContent = this.words("counting", { seconds: COUNT_S, title: this.dataset.title });
  }

  cancel() {
    if (!this.countdown.isRunning) return;
    this.countdown.stop();
    this.showCounting(false);
  }

  chooseAutoplay() {
    const { checked } = part(this, "end-autoplay");
    recordTaste({ autoplay: checked });
    if (checked) this.count();
    else this.cancel();
  }

  goOn() {
    this.countdown.stop();
    location.assign(this.dataset.next);
  }

  /** @param {boolean} isCounting */
  showCounting(isCounting) {
    this.classList.toggle("is-counting", isCounting);
    const cancel = this.querySelector("[data-part=end-cancel]");
    if (!cancel) return;
    const hadFocus = cancel === document.activeElement;
    cancel.hidden = !isCounting;
    part(this, "end-status").textContent = "";
    if (hadFocus && !isCounting) part(this, "end-now").focus({ preventScroll: true });
  }

  /** @param {number} left_s */
  showLeft(left_s) {
    part(this, "end-left").textContent = String(Math.ceil(left_s));
    this.style.setProperty("--passed", String(1 - left_s / COUNT_S));
  }

  /** Offer to follow the channel while the page does: its button knows who follows whom. */
  showFollow() {
    const follow = this.querySelector("[data-part=end-follow]");
    if (follow) follow.hidden = !pageFollow();
  }

  /** @param {MouseEvent} event */
  onClick(event) {
    const target = event.target.closest("[data-part]");
    if (!target || !this.contains(target)) return;
    if (target.dataset.part === "end-cancel") this.cancel();
    else if (target.dataset.part === "end-follow") this.follow(target);
  }

  /** @param {HTMLElement} button */
  follow(button) {
    this.cancel();
    pageFollow()?.click();
    button.hidden = true;
    part(this, "end-replay").focus({ preventScroll: true });
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    if (event.key !== "Escape" || !this.countdown.isRunning || isBusy()) return;
    event.preventDefault();
    event.stopPropagation();
    this.cancel();
  }
}

/** Return the button or link of the page that follows the channel; null once it is followed. */
function pageFollow() {
  return /** @type {?HTMLElement} */ (document.querySelector(".about-channel > a.button, .about-channel .follow [value=true]"));
}

/** Return whether leaving the page would interrupt somebody: in a dialog, in a menu, or while writing. */
function isBusy() {
  const { activeElement: focused } = document;
  const isWriting = Boolean(focused?.matches("textarea, input:not([type=range], [type=checkbox], [type=radio])") && /** @type {any} */ (focused).value);
  return isWriting || document.querySelector("dialog[open], [popover]:popover-open:not([data-toast]), .player-menu:not([hidden])") !== null;
}

define("end-screen", EndScreen);
