/**
 * The loading of a stream into the ``<video>``: by hls.js, or by the browser's own HLS
 * if hls.js does not run (iPhones).
 *
 * While a video is being encoded, its playlists list the whole of it, and a segment that
 * does not exist yet is waited for (``held-loader.js``). If its length is unknown, the
 * playlists grow, and hls.js takes it for a live stream. The engine begins at the beginning
 * and lets one seek, and the end of the playlists changes nothing.
 */

import Hls from "hls.js";

import { backoff } from "#lib/backoff";
import { Attempts } from "#player/attempts";
import { HeldLoader, fragLoadPolicy } from "#player/held-loader";

const MAX_TRIES = 5;
// hls.js declares the end of a stream only once its audio plays, and a browser that has so
// little left before the end waits for that declaration before it plays.
const LAST_S = 0.5;
const RENEW_AFTER_MS = 60_000; // signed URLs live for hours: twice in a minute is another trouble

/** @typedef {{id: number, label: string, side: number}} Choice  ``side``: the short one, in pixels */

export class Engine {
  /**
   * @param {HTMLVideoElement} video
   * @param {{src: string, bandwidth: number, side: number, isPartial?: boolean, onChange: () => void, onTrouble: (word: string) => void}} options
   *   ``isPartial``: it is being encoded; ``onTrouble("")``: the trouble is over
   */
  constructor(video, { src, bandwidth, side, isPartial = false, onChange, onTrouble }) {
    this.video = video;
    this.src = src;
    this.bandwidth = bandwidth;
    this.side = side;
    this.isPartial = isPartial;
    this.onChange = onChange;
    this.onTrouble = onTrouble;
    this.isGrowing = false;
    HeldLoader.onHeld = () => this.onChange();
    this.tries = 0;
    this.renewedAt = -Infinity;
    // A picture that cannot be decoded fails again after every recovery: buffering in
    // between is no success.
    this.recoveries = new Attempts({ most: 2, within_ms: 10_000 });
    /** @type {?Hls} */
    this.hls = null;
    window.addEventListener("online", () => this.hls?.startLoad());
  }

  /** @param {number} position in seconds; below 0: at the live edge */
  load(position) {
    this.close();
    if (Hls.isSupported()) this._loadWithHls(position);
    else if (this.video.canPlayType("application/vnd.apple.mpegurl")) this._loadNatively(position);
    else this.onTrouble("unsupported");
  }

  close() {
    clearTimeout(this.timer);
    this.native?.abort();
    if (this.hls && this.hls.bandwidthEstimate) this.bandwidth = this.hls.bandwidthEstimate;
    this.hls?.destroy();
    this.hls = null;
  }

  /** Close for good. */
  end() {
    this.close();
  }

  /** Begin anew after the person asked for it. */
  retry() {
    this.tries = 0;
    this.reload();
    this.video.play().catch(() => {});
  }

  /** Fetch the playlists anew, with freshly signed URLs, and go on at the same position. */
  reload() {
    const { currentTime, paused, playbackRate } = this.video;
    this.load(currentTime);
    this.video.playbackRate = playbackRate;
    if (!paused) this.video.play().catch(() => {});
  }

  /** Return whether it waits for a segment that is not encoded yet. */
  get isHeld() {
    return HeldLoader.held.size > 0;
  }

  /** @returns {Choice[]} best first */
  get qualities() {
    const known = this._levels().filter((choice) => choice.side > 0).sort((a, b) => b.side - a.side || b.id - a.id);
    // A broadcast that went on at another size lists a size twice: the better one is meant.
    return known.filter((choice, at) => known.findIndex((other) => other.label === choice.label) === at);
  }

  /** @returns {Choice[]} all levels of hls.js, in its order */
  _levels() {
    return (this.hls?.levels ?? []).map((level, id) => {
      const side = Math.min(level.width, level.height) || level.height;
      const rate = Math.round(level.frameRate ?? 0);
      return { id, side, label: `${side}p${rate > 31 ? rate : ""}` };
    });
  }

  /** The id of the shown quality, also where its size is listed twice; -1 before there is one. */
  get quality() {
    const shown = this.hls?.currentLevel ?? -1;
    const label = this._levels()[shown]?.label;
    return this.qualities.find((choice) => choice.label === label)?.id ?? shown;
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
    const last = this.hls.levels[this.hls.currentLevel]?.details?.fragments.at(-1);
    const isAtLast = this.video.ended || (last && !this.isGrowing && this.video.currentTime >= last.start);
    // Behind the present segment, the buffer is fetched anew. In the last one nothing would be, and
    // who plays the video again would see the old quality.
    if (isAtLast) this.hls.currentLevel = level;
    else this.hls.nextLevel = level;
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

  /** @param {number} position */
  _loadWithHls(position) {
    const hls = new Hls({
      backBufferLength: 60,
      // Of a video that is being encoded, only the quality listed first surely exists: often the largest.
      capLevelToPlayerSize: !this.isPartial,
      enableWorker: true,
      // Near the end hls.js would take the next segment for the one it needs, and wait for the one before it.
      maxFragLookUpTolerance: 0.02,
      fLoader: /** @type {any} */ (HeldLoader),
      fragLoadPolicy: fragLoadPolicy(),
      // The page's own tracks show the captions (``captions.js``): those of the playlist would be a second copy.
      subtitleTrackController: undefined,
      subtitleStreamController: undefined,
      timelineController: undefined,
      ...this._config(position),
      ...(this.bandwidth ? { abrEwmaDefaultEstimate: this.bandwidth } : {}),
    });
    this.hls = hls;
    hls.on(Hls.Events.MANIFEST_PARSED, (_event, { firstLevel }) => this._begin(firstLevel));
    hls.on(Hls.Events.LEVEL_LOADED, (_event, { details }) => this._grow(details.live));
    hls.on(Hls.Events.FRAG_BUFFERED, () => this._recovered());
    for (const event of [Hls.Events.LEVEL_SWITCHED, Hls.Events.AUDIO_TRACKS_UPDATED, Hls.Events.AUDIO_TRACK_SWITCHED]) {
      hls.on(event, () => this.onChange());
    }
    hls.on(Hls.Events.ERROR, (_event, error) => this._onError(error));
    if (position > 0) this._watchBeginning();
    hls.loadSource(this.src);
    hls.attachMedia(this.video);
  }

  /** @param {number} firstLevel the quality that its playlist lists first */
  _begin(firstLevel) {
    // The first one listed is encoded already; hls.js would wait for the lowest.
    if (this.isPartial && !this.side) this.hls.startLevel = firstLevel;
    this.choose(this.side);
  }

  /** Keep the beginning away from the end, whichever is known first: the seek or the duration. */
  _watchBeginning() {
    const beginning = new AbortController();
    const { signal } = beginning;
    for (const name of ["seeking", "durationchange"]) {
      this.video.addEventListener(name, () => this._beginBeforeEnd(), { signal });
    }
    this.video.addEventListener("playing", () => beginning.abort(), { signal });
  }

  /** Begin LAST_S before the end where the start position is closer to it. */
  _beginBeforeEnd() {
    const latest = this.video.duration - LAST_S;
    if (latest > 0 && this.video.currentTime > latest) this.video.currentTime = latest;
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
    // 410: the video ends earlier than its playlist said, which is right by now.
    if (isSegment && (status === 403 || status === 410)) return this._renew();
    if (!error.fatal) return undefined;
    if ([401, 403, 404, 410].includes(status) && !isSegment) return this.onTrouble("gone");
    if (error.type === Hls.ErrorTypes.MEDIA_ERROR) return this._recover();
    if (error.type === Hls.ErrorTypes.NETWORK_ERROR) return this._tryAgain("network", () => this._resume());
    return this._tryAgain("decode", () => this.reload());
  }

  /** Fetch the playlists anew: signatures have run out, as after a night of standby, or the end has moved. */
  _renew() {
    const now = performance.now();
    if (now - this.renewedAt < RENEW_AFTER_MS) return this.onTrouble("gone");
    this.renewedAt = now;
    return this.reload();
  }

  /** Start the decoder of the browser anew, twice at most. */
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
   * @param {string} word the sentence after the last try
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

  /** @param {number} position */
  _loadNatively(position) {
    const { video } = this;
    this.native = new AbortController();
    /**
     * @param {string} name
     * @param {() => void} act
     * @param {boolean} [once]
     */
    const on = (name, act, once = false) => video.addEventListener(name, act, { signal: this.native.signal, once });
    const onStart = () => {
      this._grow(!Number.isFinite(video.duration));
      // A browser begins a growing playlist near its end: right for a broadcast, wrong for a
      // video that is still being encoded.
      if (position >= 0 && video.currentTime !== position) video.currentTime = position;
      this.onChange();
    };
    on("loadedmetadata", onStart, true);
    on("durationchange", () => this._grow(!Number.isFinite(video.duration)));
    on("playing", () => this._recovered());
    on("error", () => this._onNativeError(), true);
    video.src = this.src;
  }

  _onNativeError() {
    if (this.video.error?.code === MediaError.MEDIA_ERR_DECODE) return this.onTrouble("decode");
    const now = performance.now();
    if (now - this.renewedAt < RENEW_AFTER_MS) return this.onTrouble("network");
    this.renewedAt = now;
    return this.reload();
  }
}
