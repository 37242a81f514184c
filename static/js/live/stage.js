/**
 * ``<live-stage>``: the picture of a stream, whatever its state. The player comes
 * and goes with the broadcast; nobody has to load the page again.
 */

import { call } from "#lib/api";
import { define, part } from "#lib/element";
import { StreamWatch } from "#live/watch";
import "#player/live-player";

const REPLAY_TRIES = 8;

class LiveStage extends HTMLElement {
  connectedCallback() {
    if (this.watch) return;
    this.leaving = new AbortController();
    this.watch = new StreamWatch({
      ask: () => call("GET", `live/${this.dataset.username}/`),
      onState: (state) => this.show(state),
      onGone: () => location.reload(),
    });
    const on = (name, act) => document.addEventListener(name, act, { signal: this.leaving.signal });
    on("chat-connection", ({ detail }) => this.watch.setHeard(detail.isOpen));
    on("live-status", ({ detail }) => this.onStatus(detail.status));
    on("player-lost", () => this.watch.hurry());
    this.onStatusChange(this.dataset.status);
    this.watch.start();
  }

  disconnectedCallback() {
    this.leaving.abort();
    this.watch.stop();
  }

  get player() {
    return this.querySelector("[data-player]");
  }

  /**
   * The socket says only what it is; the API has the rest.
   * @param {string} status
   */
  onStatus(status) {
    if (status === this.dataset.status && (status !== "live" || this.player)) return;
    if (status !== "live" || this.player) this.onStatusChange(status);
    this.watch.hurry();
  }

  /** @param {import("#live/watch").StreamState} state */
  show(state) {
    const { playback } = state;
    if (playback) {
      const isOther = state.broadcast_id !== this.dataset.broadcast || absolute(playback.hls_url) !== absolute(this.dataset.src);
      this.dataset.src = playback.hls_url;
      this.dataset.dvr = playback.dvr_url ?? "";
      this.dataset.started = state.started_at;
      this.dataset.broadcast = state.broadcast_id;
      this.dataset.latency = state.latency;
      if (isOther) this.player?.remove();
    }
    document.dispatchEvent(new CustomEvent("viewer-count", { detail: { count: state.viewer_count } }));
    this.dispatchEvent(new CustomEvent("live-state", { detail: state, bubbles: true }));
    this.showReplay(state);
    this.onStatusChange(state.status);
  }

  /** @param {string} status */
  onStatusChange(status) {
    const was = this.dataset.status;
    this.dataset.status = status;
    const isOnAir = status !== "offline";
    if (isOnAir && !this.player && this.dataset.src) this.putPlayer();
    this.player?.interrupt(status === "reconnecting");
    if (!isOnAir) this.takePlayer();
    if (!isOnAir && was !== "offline") this.onEnd();
    if (isOnAir) this.classList.remove("has-ended");
    if (was !== status) document.dispatchEvent(new CustomEvent("stream-status", { detail: { status } }));
  }

  putPlayer() {
    const { content } = this.querySelector("template[data-live-player]");
    const player = document.importNode(content, true).querySelector("[data-player]");
    for (const name of ["src", "dvr", "started", "latency"]) player.dataset[name] = this.dataset[name];
    part(this, "place").replaceChildren(player);
  }

  takePlayer() {
    if (this.player && document.fullscreenElement === this.player) document.exitFullscreen();
    this.player?.remove();
  }

  /** It may become a video: wait a little for it. */
  onEnd() {
    this.classList.add("has-ended");
    this.replayTries = this.dataset.dvr ? REPLAY_TRIES : 0;
    delete this.dataset.src;
  }

  /** @param {import("#live/watch").StreamState} state */
  showReplay(state) {
    const isOfThis = state.replay_id && state.replay_id !== this.dataset.lastReplay;
    const link = part(this, "replay");
    if (!link || state.status !== "offline") return;
    link.hidden = !isOfThis;
    if (isOfThis) link.href = `/watch/${state.replay_id}/`;
    else if (this.replayTries > 0) {
      this.replayTries -= 1;
      setTimeout(() => this.watch.hurry(), 1500);
    }
  }
}

/**
 * The page names paths, the API whole addresses.
 * @param {string} [url]
 */
function absolute(url = "") {
  return new URL(url, location.href).href;
}

define("live-stage", LiveStage);
