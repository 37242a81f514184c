/**
 * Gets the stream into the ``<video>``: hls.js where it runs, the browser's own
 * HLS elsewhere (iPhones).
 *
 * While a video is being encoded its playlists grow and hls.js takes it for a
 * live stream. It is none: it begins at the beginning, and one may seek in it.
 * When the playlists end, everything goes on as it was.
 */

import Hls from "hls.js";

import { backoff } from "#lib/backoff";
import { Attempts } from "#player/attempts";

const MAX_TRIES = 5;
const RENEW_AFTER_MS = 60_000; // signed URLs live for hours: twice in a minute is another trouble

/** @typedef {{id: number, label: string, side: number}} Choice  ``side``: the short one, in pixels */

export class Engine {
  /**
   * @param {HTMLVideoElement} video
   * @param {{src: string, bandwidth: number, side: number, onChange: () => void, onTrouble: (word: string) => void}} options
   *   ``onTrouble("")`` takes a sentence back
   */
  constructor(video, { src, bandwidth, side, onChange, onTrouble }) {
    this.video = video;
    this.src = src;
    this.bandwidth = bandwidth;
    this.side = side;
    this.onChange = onChange;
    this.onTrouble = onTrouble;
    this.isGrowing = false;
    this.tries = 0;
    this.renewedAt = -Infinity;
    // A picture that cannot be decoded fails again after every recovery: buffering in
    // between is no success.
    this.recoveries = new Attempts({ most: 2, within_ms: 10_000 });
    /** @type {?Hls} */
    this.hls = null;
    window.addEventListener("online", () => this.hls?.startLoad());
  }

  /** @param {number} position in seconds */
  load(position) {
    this.close();
    if (Hls.isSupported()) this._loadWithHls(position);
    else if (this.video.canPlayType("application/vnd.apple.mpegurl")) this._loadNatively(position);
    else this.onTrouble("unsupported");
  }

  close() {
    clearTimeout(this.timer);
    if (this.hls && this.hls.bandwidthEstimate) this.bandwidth = this.hls.bandwidthEstimate;
    this.hls?.destroy();
    this.hls = null;
  }

  /** Fetch the playlists anew and go on where we are: their signed URLs are fresh then. */
  reload() {
    const { currentTime, paused, playbackRate } = this.video;
    this.load(currentTime);
    this.video.playbackRate = playbackRate;
    if (!paused) this.video.play().catch(() => {});
  }

  // --- Choices ----------------------------------------------------------------

  /** @returns {Choice[]} best first */
  get qualities() {
    const levels = this.hls?.levels ?? [];
    const choices = levels.map((level, id) => {
      const side = Math.min(level.width, level.height) || level.height;
      const rate = Math.round(level.frameRate ?? 0);
      return { id, side, label: `${side}p${rate > 31 ? rate : ""}` };
    });
    return choices.filter((choice) => choice.side > 0).sort((a, b) => b.side - a.side);
  }

  /** The quality that is on the screen; -1 before there is one. */
  get quality() {
    return this.hls?.currentLevel ?? -1;
  }

  get isAutomatic() {
    return this.hls?.autoLevelEnabled ?? true;
  }

  /** @param {number} side 0: automatic */
  choose(side) {
    this.side = side;
    if (!this.hls) return;
    const fitting = this.qualities.find((quality) => quality.side <= side) ?? this.qualities.at(-1);
    this._switchTo(side && fitting ? fitting.id : -1);
    this.onChange();
  }

  /** @param {number} level -1: automatic */
  _switchTo(level) {
    this.hls.nextLevel = level; // what is buffered of another quality is fetched anew
  }

  get audioTracks() {
    return (this.hls?.audioTracks ?? []).map((track, id) => ({ id, label: track.name || track.lang || String(id + 1) }));
  }

  get audioTrack() {
    return this.hls?.audioTrack ?? -1;
  }

  set audioTrack(id) {
    if (this.hls) this.hls.audioTrack = id;
  }

  // --- hls.js ---------------------------------------------------------------------

  /** @param {number} position */
  _loadWithHls(position) {
    const hls = new Hls({
      backBufferLength: 60,
      capLevelToPlayerSize: true,
      enableWorker: true,
      ...this._config(position),
      ...(this.bandwidth ? { abrEwmaDefaultEstimate: this.bandwidth } : {}),
    });
    this.hls = hls;
    hls.on(Hls.Events.MANIFEST_PARSED, () => this.choose(this.side));
    hls.on(Hls.Events.LEVEL_LOADED, (_event, { details }) => this._grow(details.live));
    hls.on(Hls.Events.FRAG_BUFFERED, () => this._recovered());
    for (const event of [Hls.Events.LEVEL_SWITCHED, Hls.Events.AUDIO_TRACKS_UPDATED, Hls.Events.AUDIO_TRACK_SWITCHED]) {
      hls.on(event, () => this.onChange());
    }
    hls.on(Hls.Events.ERROR, (_event, error) => this._onError(error));
    hls.loadSource(this.src);
    hls.attachMedia(this.video);
  }

  /**
   * @param {number} position
   * @returns {Partial<import("hls.js").HlsConfig>}
   */
  _config(position) {
    // A growing playlist has no live edge to be near to: stay wherever one is.
    return { startPosition: position, lowLatencyMode: false, liveSyncDuration: 0.1 };
  }

  /** @param {boolean} isGrowing */
  _grow(isGrowing) {
    if (isGrowing === this.isGrowing) return;
    this.isGrowing = isGrowing;
    this.onChange();
  }

  _recovered() {
    if (this.tries) this.onTrouble("");
    this.tries = 0;
  }

  /** @param {import("hls.js").ErrorData} error */
  _onError(error) {
    const status = error.response?.code ?? 0;
    const isSegment = error.details === Hls.ErrorDetails.FRAG_LOAD_ERROR;
    if (isSegment && status === 403) return this._renew();
    if (!error.fatal) return undefined;
    if ([401, 403, 404, 410].includes(status) && !isSegment) return this.onTrouble("gone");
    if (error.type === Hls.ErrorTypes.MEDIA_ERROR) return this._recover();
    if (error.type === Hls.ErrorTypes.NETWORK_ERROR) return this._tryAgain("network", () => this._resume());
    return this._tryAgain("decode", () => this.reload());
  }

  /** A signed URL has run out, as after a night with the lid closed. */
  _renew() {
    const now = performance.now();
    if (now - this.renewedAt < RENEW_AFTER_MS) return this.onTrouble("gone");
    this.renewedAt = now;
    return this.reload();
  }

  /** The browser could not decode: twice we start its decoder anew. */
  _recover() {
    if (this.recoveries.allow()) this.hls.recoverMediaError();
    else this._giveUp("decode");
  }

  /** @param {string} word */
  _giveUp(word) {
    this.hls.stopLoad();
    this.onTrouble(word);
  }

  _resume() {
    if (this.hls.levels.length) this.hls.startLoad();
    else this.load(this.video.currentTime);
  }

  /**
   * @param {string} word what to say when trying no longer helps
   * @param {() => void} act
   */
  _tryAgain(word, act) {
    this.tries += 1;
    if (!navigator.onLine) this.onTrouble("offline");
    if (this.tries > MAX_TRIES && navigator.onLine) return this.onTrouble(word);
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.hls && act(), backoff(this.tries, { first: 250, most: 8000 }));
    return undefined;
  }

  // --- The browser's own ------------------------------------------------------------

  /** @param {number} position */
  _loadNatively(position) {
    const { video } = this;
    video.src = this.src;
    const onStart = () => {
      this._grow(!Number.isFinite(video.duration));
      if (position) video.currentTime = position;
      this.onChange();
    };
    video.addEventListener("loadedmetadata", onStart, { once: true });
    video.addEventListener("durationchange", () => this._grow(!Number.isFinite(video.duration)));
    video.addEventListener("error", () => this._onNativeError(), { once: true });
  }

  _onNativeError() {
    if (this.video.error?.code === MediaError.MEDIA_ERR_DECODE) return this.onTrouble("decode");
    const now = performance.now();
    if (now - this.renewedAt < RENEW_AFTER_MS) return this.onTrouble("network");
    this.renewedAt = now;
    return this.reload();
  }
}
