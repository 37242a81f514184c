/**
 * The engine for a broadcast: near the edge from the live playlists, further back
 * from the recording's.
 *
 * A broadcast may lose its signal, its server or its access at any moment and come
 * back: the live engine never gives up. It says that it is lost, tries again with
 * growing pauses, and leaves it to the page to take it away when the broadcast is over.
 */

import Hls from "hls.js";

import { backoff } from "#lib/backoff";
import { Attempts } from "#player/attempts";
import { Engine } from "#player/engine";
import { CATCH_UP_EVERY_MS, dateAt, isBehind, positionAt, windowOf } from "#player/live-timeline";
import { Pace } from "#player/pace";
import { bufferedEnd } from "#player/timeline";

const NEAR_RECORDED_EDGE_S = 6; // the recording's last segments are still on their way
const STALL_COSTS_S = 0.25; // more distance after each stall, where hls.js would take a second
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
    this.isAtEdge = true; // where the person wants to be
    this.isInterrupted = false; // the broadcast waits for its signal, and so do we
    this.isMoving = false; // to a date that was asked for, once there is a picture
    this.clockOffset = 0; // the edge's date minus our clock, ms
    this.rebuilds = new Attempts({ most: 4, within_ms: 60_000 });
    this.pace = new Pace({ isLowLatency: options.isLowLatency });
    this.pacer = setInterval(() => this._pace(), CATCH_UP_EVERY_MS);
  }

  close() {
    super.close();
    this.video.playbackRate = 1;
  }

  /** For good. */
  end() {
    clearInterval(this.pacer);
    this.close();
  }

  get isRecorded() {
    return this.src === this.dvr && this.dvr !== "";
  }

  // --- Time -------------------------------------------------------------------

  get fragments() {
    return this.hls?.latestLevelDetails?.fragments ?? [];
  }

  /** When what is on the screen happened, ms since 1970; null before it is known. */
  get date() {
    const { currentTime } = this.video;
    const date = dateAt(this.fragments, currentTime);
    // A recording whose playlists name no dates begins with the broadcast.
    if (date === null && this.isRecorded && this.hls?.latestLevelDetails) return this.startedAt + currentTime * 1000;
    return date;
  }

  /** The date of the newest picture there is. */
  get edgeDate() {
    return Date.now() + this.clockOffset;
  }

  /** Seconds between the camera and the screen, as far as the playlists tell; NaN before they do. */
  get latency() {
    if (this.isRecorded) return this.date ? (this.edgeDate - this.date) / 1000 : Number.NaN;
    // hls.js's own figure is as old as the last "timeupdate": after a seek, wrong.
    const details = this.hls?.latestLevelDetails;
    return details ? details.edge + details.age - this.video.currentTime : Number.NaN;
  }

  get target() {
    return this.hls?.targetLatency ?? 0;
  }

  get isBehind() {
    return this.isRecorded || isBehind(this);
  }

  get buffered() {
    return bufferedEnd(this.video.buffered, this.video.currentTime) - this.video.currentTime;
  }

  // --- Where to be ----------------------------------------------------------------

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
    const { seekable } = this.video;
    if (!this.hls && seekable.length) this.video.currentTime = seekable.end(seekable.length - 1);
  }

  /**
   * Go to what happened at ``date``, from the live window or the recording.
   * @param {number} date
   */
  seekToDate(date) {
    this.isAtEdge = false;
    const position = this._positionAt(date);
    const isAtHand = this.isRecorded ? this._isRecordedAt(position) : position >= this._window.start;
    if (isAtHand) {
      this.video.currentTime = position;
    } else if (this.isRecorded || !this.dvr) {
      // After what is recorded so far, or a broadcast that is not recorded.
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
   * Where ``date`` plays; before the live window, where the recording has it, -Infinity.
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

  /** Where to go on after trouble: at the edge, unless somebody is elsewhere. */
  get _here() {
    return this.isRecorded ? Math.max(FIRST_S, this.video.currentTime) : -1;
  }

  /** @param {number} position */
  _isRecordedAt(position) {
    return position < (this.hls?.latestLevelDetails?.edge ?? 0) - 1;
  }

  /** @param {number} date */
  _openLiveAt(date) {
    if (!this.isRecorded) return this.goLive();
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

  /** Going on after a pause: what was on the screen may have left the live window. */
  goOn() {
    const isGone = !this.isRecorded && this.fragments.length > 0 && this.video.currentTime < this._window.start;
    const date = this.date;
    if (isGone && this.dvr && date) this.seekToDate(date);
    else if (isGone) this.goLive();
  }

  /** Whoever stops the picture wants to see this picture next, and not a later one. */
  hold() {
    this.isAtEdge = false;
    this.pace.hold();
  }

  /** The signal is gone: keep the last picture and only ask now and then. */
  interrupt() {
    this.isInterrupted = true;
  }

  /** The broadcast is on again: look at once, whatever we were waiting for. */
  resume() {
    clearTimeout(this.timer);
    if (this.isInterrupted) {
      this.pace.returns();
      this._forgetStall();
    }
    this.isInterrupted = false;
    this.tries = 0;
    this._resume();
  }

  /** hls.js keeps more distance after a stall; this one was not the network's. */
  _forgetStall() {
    const { partHoldBack } = this.hls?.latestLevelDetails ?? {};
    if (!this.isRecorded && this.isLowLatency && partHoldBack) this.hls.targetLatency = partHoldBack;
  }

  // --- hls.js -----------------------------------------------------------------------

  _config(position) {
    if (this.isRecorded) return super._config(position);
    const shared = { backBufferLength: 30, startPosition: position, maxLiveSyncPlaybackRate: 1 };
    // The hold back that the playlist asks for; or some seconds, whole segments only.
    return this.isLowLatency
      ? { ...shared, lowLatencyMode: true, liveSyncOnStallIncrease: STALL_COSTS_S }
      : { ...shared, lowLatencyMode: false, liveSyncDurationCount: 4 };
  }

  /** Near the edge the buffer is shorter than fetching it anew would take. */
  _switchTo(level) {
    if (this.isRecorded) super._switchTo(level);
    else this.hls.loadLevel = level;
  }

  _loadWithHls(position) {
    super._loadWithHls(position);
    this.hls.on(Hls.Events.LEVEL_UPDATED, (_event, { details }) => this._onPlaylist(details));
  }

  /** A live playlist grows as well, and is no video that is being encoded. */
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

  /** Five times a second: stay where the person wants to be. */
  _pace() {
    const { video, hls } = this;
    // On the way to an earlier picture the playhead may stand at the edge for a moment.
    if (!hls || video.paused || video.seeking || this.wantedDate || this.isMoving) return;
    if (this.isRecorded) {
      this._returnFromRecording();
      return;
    }
    if (video.readyState < HTMLMediaElement.HAVE_FUTURE_DATA) return;
    // What still counts as live is kept live; after a short pause, too.
    this.isAtEdge ||= Number.isFinite(this.latency) && !this.isBehind;
    const { rate, jumps } = this.isAtEdge ? this.pace.decide(this) : { rate: 1, jumps: false };
    if (jumps && hls.liveSyncPosition) video.currentTime = hls.liveSyncPosition;
    if (video.playbackRate !== rate) video.playbackRate = rate;
  }

  /** Whoever reaches the end of what is recorded goes on in the live window. */
  _returnFromRecording() {
    const { edge, live } = this.hls.latestLevelDetails ?? {};
    const date = this.date;
    if (live && date && edge - this.video.currentTime < NEAR_RECORDED_EDGE_S) this._openLiveAt(date);
  }

  // --- When something is wrong ----------------------------------------------------------

  _onError(error) {
    const status = error.response?.code ?? 0;
    if (this.isRecorded && status === 403) return this._renew();
    if (!error.fatal) return undefined;
    if (error.type === Hls.ErrorTypes.NETWORK_ERROR) return this._wait(() => this._resume());
    if (error.type === Hls.ErrorTypes.MEDIA_ERROR) return this._recover();
    return this._wait(() => this._open(this.src, this._here));
  }

  /** One broken part must not end a broadcast: leave it behind, but not for ever. */
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
    this.timer = setTimeout(() => this.hls && act(), backoff(this.tries, { first: 250, most: 4000 }));
  }

  _resume() {
    if (!this.hls) return;
    // Playlists that were refused once are not asked for again by themselves.
    if (this.hls.levels.length && (this.isInterrupted || this.tries < 4)) this.hls.startLoad(this.isAtEdge ? -1 : Math.max(FIRST_S, this.video.currentTime));
    else this._open(this.src, this._here);
  }

  _onNativeError() {
    this.onLost();
    this.tries += 1;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.reload(), backoff(this.tries, { first: 500, most: 4000 }));
  }
}
