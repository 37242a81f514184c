/** The preview above the seek bar: the frame at a position, the chapter it belongs to, and the time. */

import { part } from "#lib/element";
import { chapterAt } from "#player/chapters";
import { Storyboard } from "#player/storyboard";
import { clock } from "#player/timeline";

// On a large player a still is shown larger than it is stored.
const ROOMY_PX = 900;
const ROOMY_SCALE = 1.25;

export class Preview {
  /** @param {import("#player/shell").PlayerShell<any, any>} player */
  constructor(player) {
    this.player = player;
    this.storyboard = new Storyboard(player.dataset.storyboard);
    this.still = part(player, "still");
    this.title = part(player, "tip-title");
    this.time = part(player, "tip-time");
    this.seek = part(player, "seek");
    /** @type {Map<string, HTMLImageElement>} */
    this.sheets = new Map();
  }

  /** Read the storyboard's index, because a pointer or the focus is near the bar. */
  async open() {
    await this.storyboard.open();
    if (this.shownAt !== undefined) this.showStill(this.shownAt);
  }

  /**
   * Show the position ``share`` (0–1) of the bar.
   * @param {number} share
   */
  show(share) {
    const seconds = share * this.player.duration;
    this.shownAt = seconds;
    this.seek.style.setProperty("--at", String(share));
    this.time.textContent = clock(seconds);
    this.title.textContent = chapterAt(this.player.chapters, seconds)?.title ?? "";
    this.showStill(seconds);
  }

  /** @param {number} seconds */
  showStill(seconds) {
    const still = this.storyboard.at(seconds);
    this.still.hidden = !still;
    this.seek.classList.toggle("has-still", Boolean(still));
    if (!still) return;
    const scale = this.player.clientWidth >= ROOMY_PX ? ROOMY_SCALE : 1;
    const { style } = this.still;
    style.width = `${still.width * scale}px`;
    style.height = `${still.height * scale}px`;
    this.seek.style.setProperty("--still", style.width);
    const sheet = this.sheet(still.url);
    if (!sheet.complete || !sheet.naturalWidth) {
      style.backgroundImage = "";
      return;
    }
    style.backgroundImage = `url("${still.url}")`;
    style.backgroundSize = `${sheet.naturalWidth * scale}px auto`;
    style.backgroundPosition = `${-still.x * scale}px ${-still.y * scale}px`;
  }

  /**
   * Return a sheet, which is fetched on first use; the still is shown again once it is there.
   * @param {string} url
   */
  sheet(url) {
    const known = this.sheets.get(url);
    if (known) return known;
    const sheet = new Image();
    sheet.addEventListener("load", () => this.shownAt !== undefined && this.showStill(this.shownAt));
    sheet.addEventListener("error", () => this.onLost());
    sheet.src = url;
    this.sheets.set(url, sheet);
    return sheet;
  }

  /** Signed addresses expire: read new ones at the next visit. */
  onLost() {
    this.sheets.clear();
    this.storyboard.expire();
    this.still.hidden = true;
    this.seek.classList.remove("has-still");
  }
}
