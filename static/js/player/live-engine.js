/**
 * The engine for a broadcast: near the edge from the live playlists, further back
 * from the recording's.
 *
 * A broadcast may lose its signal, its server or its access at any moment and come
 * back: the live engine never gives up. It says that it is lost, tries again with
 * growing pauses, and leaves it to the page to remove it when the broadcast is over.
 */

import Hls from "hls.js";

import { backoff } from "#lib/backoff";
import { Attempts } from "#player/attempts";
import { Engine } from "#player/engine";
import { CATCH_UP_EVERY_MS, dateAt, isBehind, positionAt, windowOf } from "#player/live-timeline";
import { Pace } from "#player/pace";
import { StallMargin } from "#player/stall-margin";
import { bufferedEnd } from "#player/timeline";

const NEAR_RECORDED_EDGE_S = 6; // the recording's last segments are still on their way
const STEADY_SEGMENTS = 4; // behind the edge, where nobody asked for low latency
const NATIVE_EDGE_S = 10; // browsers play some segments behind the end of the seekable part
const FIRST_S = 0.001; // hls.js takes 0 for "wherever you like"

export class LiveEngine extends Engine {
  /**
   * @param {HTMLVideoElement} video
   * @param {ConstructorParameters<typeof Engine>[1] & {dvr: string, startedAt: number, isLowLatency: boolean, onLost: () => void}} options
   */
  constructor(video, options) {
    super(video, options);
    this.live = options.src;
    this.dvr = options.dvr;
    this.startedAt = options.startedAt; // ms since 1970
    this.isLowLatency = options.isLowLatency;
    this.onLost = options.onLost;
    this.isAtEdge = true; // the choice of the person
    this.isInterrupted = false; // the broadcast waits for its signal, and so do we
    this.isMoving = false; // to a date that was asked for, once there is a picture
    this.clockOffset = 0; // the edge's date minus our clock, ms
    this.rebuilds = new Attempts({ most: 4, within_ms: 60_000 });
    this.pace = new Pace({ isLowLatency: options.isLowLatency });
    this.margin = new StallMargin(options.isLowLatency ? { step_s: 0.25, most_s: 2 } : { step_s: 1, most_s: 4 });
    this.pacer = setInterval(() => this._pace(), CATCH_UP_EVERY_MS);
  }

  close() {
    super.close();
    this.video.playbackRate = 1;
  }

  end() {
    clearInterval(this.pacer);
    super.end();
  }

  retry() {
    this.goLive();
    this.resume();
  }

  get isRecorded() {
    return this.src === this.dvr && this.dvr !== "";
  }

  get fragments() {
    return this.hls?.latestLevelDetails?.fragments ?? [];
  }

  /**
   * The date of the frame that is shown, ms since 1970; null before it is known.
   * @returns {?number}
   */
  get date() {
    if (!this.hls) return this._nativeDate;
    const { currentTime } = this.video;
    const date = dateAt(this.fragments, currentTime);
    // A recording whose playlists name no dates begins with the broadcast.
    if (date === null && this.isRecorded && this.hls?.latestLevelDetails) return this.startedAt + currentTime * 1000;
    return date;
  }

  /**
   * The date according to Safari, which knows the date of the beginning; other browsers are taken to be at the edge.
   * @returns {?number}
   */
  get _nativeDate() {
    const { video } = this;
    if (video.readyState < HTMLMediaElement.HAVE_METADATA) return null;
    if (this.isRecorded) return this.startedAt + video.currentTime * 1000;
    const beginning = video.getStartDate?.().getTime() ?? Number.NaN;
    return Number.isFinite(beginning) ? beginning + video.currentTime * 1000 : this.edgeDate - (this.latency || 0) * 1000;
  }

  /** The date of the newest frame. */
  get edgeDate() {
    return Date.now() + this.clockOffset;
  }

  /**
   * Seconds between camera and screen according to the playlists; NaN before they are loaded.
   * @returns {number}
   */
  get latency() {
    if (this.isRecorded) return this.date ? (this.edgeDate - this.date) / 1000 : Number.NaN;
    // hls.js's own figure is as old as the last "timeupdate": after a seek, wrong.
    const details = this.hls?.latestLevelDetails;
    if (details) return details.edge + details.age - this.video.currentTime;
    return this.hls ? Number.NaN : this._nativeEdge - this.video.currentTime;
  }

  /** The end of the part that the browser's own player can seek, in seconds; NaN before it is known. */
  get _nativeEdge() {
    const { seekable } = this.video;
    return seekable.length ? seekable.end(seekable.length - 1) : Number.NaN;
  }

  get target() {
    return this.hls?.targetLatency ?? 0;
  }

  get isBehind() {
    if (this.isRecorded) return true;
    return this.hls ? isBehind(this) : this.latency >= NATIVE_EDGE_S;
  }

  get buffered() {
    return bufferedEnd(this.video.buffered, this.video.currentTime) - this.video.currentTime;
  }

  goLive() {
    this.isAtEdge = true;
    this.wantedDate = null;
    this.isMoving = false;
    if (this.isRecorded) this._open(this.live, -1);
    else if (this.hls?.liveSyncPosition) this.video.currentTime = this.hls.liveSyncPosition;
    else this._moveToNativeEdge();
    this.video.play().catch(() => {});
  }

  _moveToNativeEdge() {
    if (this.hls) return;
    if (Number.isFinite(this._nativeEdge)) this.video.currentTime = this._nativeEdge;
    else this._open(this.live, -1);
  }

  /**
   * Go to ``date``, in the live window or in the recording.
   * @param {number} date
   */
  seekToDate(date) {
    this.isAtEdge = false;
    const position = this._positionAt(date);
    const isAtHand = this.isRecorded ? this._isRecordedAt(position) : position >= this._window.start;
    if (isAtHand) {
      this.video.currentTime = position;
    } else if (this.isRecorded || !this.dvr) {
      // After the recorded part, or in a broadcast that is not recorded.
      this._openLiveAt(date);
    } else {
      this.wantedDate = date;
      this._open(this.dvr, this._sinceStart(date));
    }
  }

  get _window() {
    return windowOf(this.hls?.latestLevelDetails);
  }

  /**
   * Return the position of ``date``; -Infinity if it is before the live window and recorded.
   * @param {number} date
   */
  _positionAt(date) {
    if (!this.isRecorded) {
      const { start, isWhole } = this._window;
      const position = positionAt(this.fragments, date) ?? -Infinity;
      return isWhole || !this.dvr ? Math.max(position, start) : position;
    }
    const isDated = this.fragments.some((fragment) => fragment?.programDateTime);
    return isDated ? (positionAt(this.fragments, date) ?? 0) : this._sinceStart(date);
  }

  /** @param {number} date */
  _nearest(date) {
    return positionAt(this.fragments, date) ?? this._window.start;
  }

  /** @param {number} date */
  _sinceStart(date) {
    return Math.max(FIRST_S, (date - this.startedAt) / 1000);
  }

  /** The position to go on at after trouble: the edge, or the position in the recording. */
  get _here() {
    return this.isRecorded ? Math.max(FIRST_S, this.video.currentTime) : -1;
  }

  /** @param {number} position */
  _isRecordedAt(position) {
    return position < (this.hls ? (this.hls.latestLevelDetails?.edge ?? 0) : this._nativeEdge || 0) - 1;
  }

  /** @param {number} date */
  _openLiveAt(date) {
    if (!this.isRecorded || !this.hls) return this.goLive();
    this.wantedDate = date;
    return this._open(this.live, -1);
  }

  /**
   * @param {string} src
   * @param {number} position
   */
  _open(src, position) {
    const { paused } = this.video;
    this.src = src;
    this.isGrowing = false;
    this.load(position);
    if (!paused) this.video.play().catch(() => {});
    this.onChange();
  }

  /** Go on after a pause: the position may have left the live window. */
  goOn() {
    const isGone = !this.isRecorded && this.fragments.length > 0 && this.video.currentTime < this._window.start;
    const date = this.date;
    if (isGone && this.dvr && date) this.seekToDate(date);
    else if (isGone) this.goLive();
  }

  /** Stay at this frame: after a pause it is the next one to show. */
  hold() {
    this.isAtEdge = false;
    this.pace.hold();
  }

  /** Keep the last frame and ask rarely: the signal is gone. */
  interrupt() {
    this.isInterrupted = true;
  }

  /** Ask at once: the broadcast is on again. */
  resume() {
    clearTimeout(this.timer);
    const wasInterrupted = this.isInterrupted;
    this.isInterrupted = false;
    this.tries = 0;
    if (wasInterrupted) {
      this.pace.returns();
      this.margin.forget(); // that stall was not the network's
    }
    if (this.hls) this._resume();
    else if (wasInterrupted && this.isAtEdge && !this.isRecorded) this._open(this.live, -1);
  }

  /** Fetch the playlists anew: at the edge, unless the person is somewhere in the recording. */
  reload() {
    if (this.isRecorded) super.reload();
    else this._open(this.src, this._here);
  }

  /** @param {number} position */
  _config(position) {
    if (this.isRecorded) return super._config(position);
    const shared = { backBufferLength: 30, startPosition: position, maxLiveSyncPlaybackRate: 1, liveSyncOnStallIncrease: 0 };
    // The hold back that the playlist asks for; or some seconds, whole segments only.
    return this.isLowLatency
      ? { ...shared, lowLatencyMode: true }
      : { ...shared, lowLatencyMode: false, liveSyncDurationCount: STEADY_SEGMENTS };
  }

  /**
   * Switch without fetching the buffer anew: near the edge it is shorter than that would take.
   * @param {number} level
   */
  _switchTo(level) {
    if (this.isRecorded) super._switchTo(level);
    else this.hls.loadLevel = level;
  }

  /** @param {number} position */
  _loadWithHls(position) {
    super._loadWithHls(position);
    this.hls.on(Hls.Events.LEVEL_UPDATED, (_event, { details }) => this._onPlaylist(details));
  }

  /**
   * Ignore the growth of a live playlist: nothing is being encoded behind it.
   * @param {boolean} isGrowing
   */
  _grow(isGrowing) {
    if (this.isRecorded) super._grow(isGrowing);
  }

  /** @param {import("hls.js").LevelDetails} details */
  _onPlaylist(details) {
    const edge = dateAt(details.fragments, details.edge);
    if (!this.isRecorded && edge) this.clockOffset = edge - Date.now() + details.age * 1000;
    if (!this.wantedDate) return;
    const position = this.isRecorded ? positionAt(details.fragments, this.wantedDate) : this._nearest(this.wantedDate);
    this.wantedDate = null;
    if (position === null) return;
    this.isMoving = true;
    // Before there is a picture hls.js still moves to where it would begin.
    const move = () => {
      this.isMoving = false;
      if (Math.abs(position - this.video.currentTime) > 0.5) this.video.currentTime = position;
    };
    if (this.video.readyState > 1) move();
    else this.video.addEventListener("loadeddata", move, { once: true });
  }

  /** Keep the position that the person chose; runs five times a second. */
  _pace() {
    const { video, hls } = this;
    if (!hls && !this.isRecorded && !video.paused) this.isAtEdge ||= Number.isFinite(this.latency) && !this.isBehind;
    // On the way to an earlier picture the playhead may stand at the edge for a moment.
    if (!hls || video.paused || video.seeking || this.wantedDate || this.isMoving) return;
    if (this.isRecorded) {
      this._returnFromRecording();
      return;
    }
    if (video.readyState < HTMLMediaElement.HAVE_FUTURE_DATA) return;
    this.margin.calm();
    this._aim();
    // A player that counts as live is kept live, also after a short pause.
    this.isAtEdge ||= Number.isFinite(this.latency) && !this.isBehind;
    const { rate, jumps } = this.isAtEdge ? this.pace.decide(this) : { rate: 1, jumps: false };
    if (jumps && hls.liveSyncPosition) video.currentTime = hls.liveSyncPosition;
    if (video.playbackRate !== rate) video.playbackRate = rate;
  }

  /** Set the distance of hls.js from the edge: the hold back of the playlist, and more after stalls. */
  _aim() {
    const details = this.hls.latestLevelDetails;
    if (!details) return;
    const holdBack = this.isLowLatency ? details.partHoldBack || details.holdBack : STEADY_SEGMENTS * details.targetduration;
    const target = holdBack + this.margin.seconds;
    if (holdBack && Math.abs(target - this.target) > 0.01) this.hls.targetLatency = target;
  }

  /** Go on in the live window at the end of the recorded part. */
  _returnFromRecording() {
    const { edge, live } = this.hls.latestLevelDetails ?? {};
    const date = this.date;
    if (live && date && edge - this.video.currentTime < NEAR_RECORDED_EDGE_S) this._openLiveAt(date);
  }

  /** @param {import("hls.js").ErrorData} error */
  _onError(error) {
    const status = error.response?.code ?? 0;
    if (this.isRecorded && status === 403) return this._renew();
    if (error.details === Hls.ErrorDetails.BUFFER_STALLED_ERROR && !this.isRecorded && !this.isInterrupted) this.margin.stalled();
    if (!error.fatal) return undefined;
    if (error.type === Hls.ErrorTypes.NETWORK_ERROR) return this._wait(() => this._resume());
    if (error.type === Hls.ErrorTypes.MEDIA_ERROR) return this._recover();
    return this._wait(() => this._open(this.src, this._here));
  }

  /**
   * Skip a broken part, a few times: it must not end the broadcast.
   * @param {string} word
   */
  _giveUp(word) {
    if (this.rebuilds.allow()) this._wait(() => this._open(this.src, this._here));
    else super._giveUp(word);
  }

  /** @param {() => void} act */
  _wait(act) {
    this.tries += 1;
    this.onTrouble(navigator.onLine ? "waiting" : "offline");
    this.onLost();
    clearTimeout(this.timer);
    this.timer = setTimeout(act, backoff(this.tries, { first: 250, most: 4000 })); // closing the engine clears it
  }

  _resume() {
    // Playlists that were refused once are not asked for again by themselves.
    if (this.hls.levels.length && (this.isInterrupted || this.tries < 4)) this.hls.startLoad(this.isAtEdge ? -1 : Math.max(FIRST_S, this.video.currentTime));
    else this._open(this.src, this._here);
  }

  _onNativeError() {
    this._wait(() => this.reload());
  }
}
