/** Full screen by turning a phone: sideways fills the screen with a wide video that plays, upright leaves it. */

export class ScreenRotation {
  /**
   * @param {import("#player/shell").PlayerShell<any, any>} player
   * @param {AbortSignal} signal
   */
  constructor(player, signal) {
    this.player = player;
    this.orientation = globalThis.screen?.orientation;
    this.orientation?.addEventListener?.("change", () => this.onChange(), { signal });
  }

  async onChange() {
    if (!this.orientation.type.startsWith("landscape")) this.leave();
    else if (this.isWanted) await this.enter();
  }

  /** Only where a turn is a turn of the hand, for a video that somebody watches. */
  get isWanted() {
    const { player } = this;
    const { videoWidth, videoHeight } = player.video;
    const { top, bottom } = player.getBoundingClientRect();
    const isInView = bottom > 0 && top < globalThis.innerHeight;
    return !document.fullscreenElement && !player.paused && videoWidth > videoHeight && isInView && !matchMedia("(any-hover: hover)").matches;
  }

  async enter() {
    try {
      await this.player.requestFullscreen?.();
      this.hasEntered = true;
    } catch {
      // The browser wants a tap first.
    }
  }

  leave() {
    if (!this.hasEntered) return;
    this.hasEntered = false;
    if (document.fullscreenElement === this.player) document.exitFullscreen();
  }
}
