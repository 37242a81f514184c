/**
 * The seek bar: a range input drawn by us, with a preview of the position under the pointer, the
 * finger or the focus.
 *
 * A drag shows where it would go and seeks once, at its end: a seek for each step of a finger
 * would fetch a segment for each. Away from the bar, a drag moves in finer steps.
 */

import { part } from "#lib/element";
import { chapterAt, divisions, gaps } from "#player/chapters";
import { FineScrub } from "#player/fine-scrub";
import { Preview } from "#player/preview";
import { clock } from "#player/timeline";

const GAP_PX = 3;

export class SeekBar {
  /**
   * @param {import("#player/shell").PlayerShell<any, any>} player
   * @param {import("#lib/words").Words} words
   */
  constructor(player, words) {
    this.player = player;
    this.words = words;
    this.element = part(player, "seek");
    this.input = part(player, "seek-input");
    this.track = part(player, "track");
    this.section = part(player, "section");
    this.now = part(player, "now");
    this.length = part(player, "length");
    this.chapter = part(player, "chapter");
    this.chapterTitle = part(player, "chapter-title");
    this.preview = new Preview(player);
    this.isDragged = false;
    this.listen();
  }

  listen() {
    const { element, input, player } = this;
    const bar = part(player, "bar");
    bar.addEventListener("pointerenter", () => this.preview.open());
    element.addEventListener("pointermove", (event) => !this.isDragged && this.preview.show(this.shareAt(event)));
    input.addEventListener("focus", () => this.preview.open());
    input.addEventListener("pointerdown", () => this.drag());
    input.addEventListener("pointermove", (event) => this.onMove(event));
    input.addEventListener("input", () => this.onInput());
    for (const name of ["change", "pointerup", "pointercancel"]) input.addEventListener(name, () => this.drop());
  }

  drag() {
    this.preview.open();
    this.isDragged = true;
    this.scrub = new FineScrub();
    this.isFine = false;
    this.player.classList.add("is-scrubbing");
  }

  /**
   * Follow a drag away from the bar; along it, the range input tells the position.
   * @param {PointerEvent} event
   */
  onMove({ clientX, clientY }) {
    if (!this.isDragged || this.wanted === undefined) return;
    const { left, right, top, bottom } = this.element.getBoundingClientRect();
    const distance = Math.max(top - clientY, clientY - bottom, 0);
    const share = this.scrub.move({ x: clientX, distance, width: right - left, share: this.wanted });
    if (share === null) return;
    this.isFine = true;
    this.wanted = share;
    this.preview.show(share, this.scrub.label);
    this.showTime();
  }

  onInput() {
    if (this.isDragged && this.isFine) return;
    const share = Number(this.input.value);
    this.preview.show(share);
    if (!this.isDragged) this.player.seekTo(share * this.player.duration);
    else this.wanted = share;
    this.showTime();
  }

  /** End a drag: go to the position under the finger. */
  drop() {
    if (!this.isDragged) return;
    this.isDragged = false;
    this.player.classList.remove("is-scrubbing");
    const { wanted } = this;
    this.wanted = undefined;
    if (wanted !== undefined) this.player.seekTo(wanted * this.player.duration);
    this.showTime();
  }

  /** @param {PointerEvent} event */
  shareAt(event) {
    const box = this.element.getBoundingClientRect();
    return Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
  }

  showTime() {
    const { player, input, element } = this;
    const { duration, available } = player;
    const shownTime = this.wanted === undefined ? player.shownTime : this.wanted * duration;
    const share = (/** @type {number} */ seconds) => String(duration ? Math.min(1, seconds / duration) : 0);
    element.style.setProperty("--played", share(shownTime));
    element.style.setProperty("--buffered", share(player.bufferedUntil));
    element.style.setProperty("--available", share(available));
    this.now.textContent = clock(shownTime);
    this.length.textContent = clock(duration);
    if (this.wanted === undefined) input.value = share(shownTime);
    const title = chapterAt(player.chapters, shownTime)?.title ?? "";
    const position = this.words("position", { now: clock(shownTime), length: clock(duration) });
    input.setAttribute("aria-valuetext", title ? `${position}, ${title}` : position);
    if (this.chapter && this.chapterTitle.textContent !== title) this.showChapter(title);
    if (input === document.activeElement && !this.isDragged && !element.matches(":hover")) {
      this.preview.show(Number(share(shownTime)));
    }
  }

  /** @param {string} title empty: before the first chapter */
  showChapter(title) {
    this.chapter.hidden = !title;
    this.chapterTitle.textContent = title;
  }

  /** Divide the bar where a chapter follows another. */
  showChapters() {
    this.track.style.maskImage = gaps(divisions(this.player.chapters, this.player.duration), GAP_PX);
  }

  /**
   * Mark the part that repeats; while it has no end, mark its start.
   * @param {{start_s: ?number, end_s: ?number}} section
   */
  showSection({ start_s, end_s }) {
    const { duration } = this.player;
    this.section.hidden = start_s === null || !duration;
    if (this.section.hidden) return;
    this.section.style.setProperty("--from", String(start_s / duration));
    this.section.style.setProperty("--to", String((end_s ?? start_s) / duration));
  }
}
