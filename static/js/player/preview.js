/** The preview above the seek bar: the frame at a position, the chapter it belongs to, and the time. */

import { part } from "#lib/element";
import { chapterAt } from "#player/chapters";
import { clock } from "#player/timeline";

// On a large player a still is shown larger than it is stored.
const ROOMY_PX = 900;
const ROOMY_SCALE = 1.25;

export class Preview {
  /** @param {import("#player/shell").PlayerShell<any, any>} player */
  constructor(player) {
    this.player = player;
    this.still = part(player, "still");
    this.title = part(player, "tip-title");
    this.time = part(player, "tip-time");
    this.seek = part(player, "seek");
  }

  /** Read the storyboard's index, because a pointer or the focus is near the bar. */
  async open() {
    await this.player.storyboard.open();
    if (this.shownAt !== undefined) this.showStill(this.shownAt);
  }

  /**
   * Show the position ``share`` (0–1) of the bar.
   * @param {number} share
   * @param {string} [fineness] of the drag
   */
  show(share, fineness = "") {
    const seconds = share * this.player.duration;
    this.shownAt = seconds;
    this.seek.style.setProperty("--at", String(share));
    this.time.textContent = fineness ? `${clock(seconds)} · ${fineness}` : clock(seconds);
    this.title.textContent = chapterAt(this.player.chapters, seconds)?.title ?? "";
    this.showStill(seconds);
  }

  /** @param {number} seconds */
  showStill(seconds) {
    const { storyboard } = this.player;
    const still = storyboard.at(seconds);
    this.still.hidden = !still;
    this.seek.classList.toggle("has-still", Boolean(still));
    if (!still) return;
    const scale = this.player.clientWidth >= ROOMY_PX ? ROOMY_SCALE : 1;
    storyboard.draw(this.still, still, scale, () => this.showStill(this.shownAt));
    this.seek.style.setProperty("--still", this.still.style.width);
  }
}
