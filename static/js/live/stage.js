/**
 * ``<live-stage>``: the stage of a stream in each of its states. The player comes and
 * goes with the broadcast, without a reload of the page.
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
      onGone: () => this.close(),
      onBack: () => location.reload(), // with a ticket for the chat
    });
    /**
     * @param {keyof DocumentEventMap & `${string}-${string}`} name
     * @param {(event: CustomEvent<any>) => void} act
     */
    const on = (name, act) => document.addEventListener(name, act, { signal: this.leaving.signal });
    on("chat-connection", ({ detail }) => this.watch.setHeard(detail.isOpen));
    on("live-status", ({ detail }) => this.onNews(detail));
    on("stream-news", ({ detail }) => "replay_id" in detail && this.showReplay({ ...detail, status: this.dataset.status }));
    on("viewer-count", ({ detail }) => (this.watch.audience = detail.count));
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
   * Take news of the socket. A change carries the whole state. For a private stream, and
   * when the socket opens, there is only the status, and the API has the rest.
   * @param {{status: string} & Partial<import("#live/watch").StreamState>} news
   */
  onNews(news) {
    if ("playback" in news) this.watch.take(news);
    else this.onStatus(news.status);
  }

  /** @param {string} status */
  onStatus(status) {
    if (status === this.dataset.status && (status !== "live" || this.player)) return;
    if (status !== "live" || this.player) this.onStatusChange(status);
    this.watch.hurry();
  }

  /** @param {Partial<import("#live/watch").StreamState>} state */
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
    if (state.viewer_count !== undefined) document.dispatchEvent(new CustomEvent("viewer-count", { detail: { count: state.viewer_count } }));
    this.dispatchEvent(new CustomEvent("live-state", { detail: state, bubbles: true }));
    this.onStatusChange(state.status);
    this.showReplay(state);
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

  /** Take the player away: the streamer or a moderator closed the stream to this viewer, perhaps for a minute. */
  close() {
    this.classList.add("is-closed");
    delete this.dataset.src;
    this.onStatusChange("offline");
  }

  /** Hide the link to the last replay. The new one is published by the socket, or asked for a few times. */
  onEnd() {
    this.classList.add("has-ended");
    const link = part(this, "replay");
    if (link) link.hidden = true;
    this.replayTries = this.dataset.dvr ? REPLAY_TRIES : 0;
    delete this.dataset.src;
  }

  /** @param {Partial<import("#live/watch").StreamState>} state */
  showReplay(state) {
    // A page that saw no broadcast offers the newest replay there is.
    const seen = this.dataset.broadcast;
    const isOfThis = state.replay_id && (!seen || state.replay_broadcast_id === seen);
    const link = part(this, "replay");
    if (!link || state.status !== "offline") return;
    link.hidden = !isOfThis;
    if (isOfThis) link.href = `/watch/${state.replay_id}/`;
    else if (this.replayTries > 0 && !this.watch.isHeard) {
      this.replayTries -= 1;
      setTimeout(() => this.watch.hurry(), 1500);
    }
  }
}

/**
 * Return a whole address: the page has paths, the API whole addresses.
 * @param {string} [url]
 */
function absolute(url = "") {
  return new URL(url, location.href).href;
}

define("live-stage", LiveStage);
