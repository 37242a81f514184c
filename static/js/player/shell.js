/**
 * The player that both elements share: controls, captions, menu, keys, volume, full screen.
 *
 * ``<video-player>`` and ``<live-player>`` differ by their engine, which loads the stream, and
 * by their clock, which knows positions: ``VideoClock`` those of a media element, ``LiveClock``
 * those of a broadcast. From outside, a player is a media element: it has ``currentTime``,
 * ``paused``, ``duration`` and ``play()``.
 */

import { part } from "#lib/element";
import { wordsOf } from "#lib/words";
import { Captions } from "#player/captions";
import { readChapters } from "#player/chapters";
import { Controls } from "#player/controls";
import { frameBox } from "#player/frame-box";
import { enterFullscreen, leaveFullscreen } from "#player/fullscreen";
import { Heartbeat } from "#player/heartbeat";
import { commandOf, nextSpeed } from "#player/keys";
import { Leveller, readLoudness } from "#player/loudness";
import { recordTaste, taste } from "#player/memory";
import { Menu } from "#player/menu";
import { ScreenRotation } from "#player/rotation";
import { settingsGroups } from "#player/settings";
import { Storyboard } from "#player/storyboard";
import { clock as clockText } from "#player/timeline";

const FRAME_S = 1 / 30;

/** @typedef {import("#player/keys").Command} Command */
/** @typedef {import("#player/video-clock").VideoClock | import("#player/live-clock").LiveClock} Clock */

/**
 * @template {import("#player/engine").Engine} E
 * @template {Clock} C
 */
export class PlayerShell extends HTMLElement {
  /**
   * Intervals of the heartbeat, in seconds of playing; empty: the defaults.
   * @type {{every_s?: number, first_s?: number}}
   */
  static beats = {};

  connectedCallback() {
    if (this.video) return;
    this.video = /** @type {HTMLVideoElement} */ (this.querySelector("video"));
    this.words = wordsOf(this);
    this.chapters = readChapters(this.dataset.chapters);
    this.storyboard = new Storyboard(this.dataset.storyboard);
    this.controls = new Controls(this, this.words);
    this.captions = new Captions(this.video, part(this, "captions-layer"));
    this.engine = this.makeEngine();
    this.clock = this.makeClock();
    this.leveller = new Leveller(this.video, readLoudness(this.dataset.levels), { isOn: taste().stable });
    const icon = (/** @type {string} */ name) => this.controls.icon(name);
    this.menu = new Menu(this.controls.menu, this.controls.settings, icon, () => settingsGroups(this));
    const { beats } = /** @type {typeof PlayerShell} */ (this.constructor);
    this.heartbeat = new Heartbeat({ send: (report, isLast) => this.report(report, isLast), ...beats });
    this.leaving = new AbortController();
    this.applyTaste();
    this.listen();
    this.rotation = new ScreenRotation(this, this.leaving.signal);
    this.begin();
    this.describeToSystem();
  }

  disconnectedCallback() {
    this.leaving?.abort();
    this.sizes?.disconnect();
    this.engine?.end();
    this.leveller?.end();
  }

  // The four that an element defines.

  /** @returns {E} */
  makeEngine() {
    throw new Error("not defined");
  }

  /** @returns {C} */
  makeClock() {
    throw new Error("not defined");
  }

  /** Load the stream and play it. */
  begin() {
    throw new Error("not defined");
  }

  /**
   * Report to the server that somebody watches.
   * @param {{position_s: number, session?: string}} _report
   * @param {boolean} _isLast the page may be gone before the answer
   * @returns {Promise<?{session: string}>}
   */
  async report(_report, _isLast) {
    throw new Error("not defined");
  }

  get currentTime() {
    return this.clock.time;
  }

  set currentTime(seconds) {
    this.seekTo(seconds);
  }

  get paused() {
    return this.clock.isPaused;
  }

  get ended() {
    return this.video.ended;
  }

  get duration() {
    return this.clock.duration;
  }

  get shownTime() {
    return this.clock.shownTime;
  }

  get available() {
    return this.clock.available;
  }

  get bufferedUntil() {
    return this.clock.bufferedUntil;
  }

  play() {
    const playing = this.clock.play();
    if (this.clock.awaited !== null) this.controls.showPlaying();
    return playing;
  }

  pause() {
    this.clock.pause();
    this.controls.showPlaying();
  }

  applyTaste() {
    const { volume, muted, speed: liked, captions } = taste();
    const speed = this.clock.hasSpeeds ? liked : 1;
    const isMuted = muted || "muted" in this.dataset;
    Object.assign(this.video, { volume, muted: isMuted, defaultPlaybackRate: speed, playbackRate: speed, controls: false });
    this.controls.showVolume();
    this.captions.choose(captions ? this.captions.inLanguage(captions) : null);
  }

  engineOptions() {
    const { bandwidth, quality } = taste();
    return {
      src: this.dataset.src,
      bandwidth,
      side: quality,
      isPartial: "partial" in this.dataset,
      onChange: () => this.onEngineChange(),
      onTrouble: (/** @type {string} */ word) => this.onTrouble(word),
    };
  }

  /** A device with a mouse or a touchpad has keys as well. */
  get hasKeys() {
    return matchMedia("(any-hover: hover)").matches;
  }

  /** The volume that the person chose, 0 to 1. */
  get volume() {
    return this.leveller?.volume ?? this.video.volume;
  }

  /** Play with audio. If the browser forbids that, play muted and show a button that unmutes. */
  async playByItself() {
    try {
      await this.play();
    } catch (error) {
      if (error.name !== "NotAllowedError" || this.video.muted) return;
      this.video.muted = true;
      this.controls.unmute.hidden = false;
      await this.video.play().catch((again) => {
        if (again.name === "NotAllowedError") this.video.muted = false;
      });
    }
  }

  /** Give the title and the seek actions to the lock screen and to headsets. */
  describeToSystem() {
    const session = navigator.mediaSession;
    if (!session) return;
    const artwork = this.video.poster ? [{ src: this.video.poster }] : [];
    session.metadata = new MediaMetadata({ title: this.dataset.title, artist: this.dataset.artist, artwork });
    session.setActionHandler("seekbackward", () => this.run({ do: "skip", value: -10 }));
    session.setActionHandler("seekforward", () => this.run({ do: "skip", value: 10 }));
    session.setActionHandler("seekto", ({ seekTime }) => this.seekTo(seekTime));
  }

  listen() {
    const { signal } = this.leaving;
    /**
     * @param {string} names
     * @param {(event: any) => void} act
     * @param {EventTarget} [target]
     */
    const on = (names, act, target = this.video) => {
      for (const name of names.split(" ")) target.addEventListener(name, act, { signal });
    };
    on("timeupdate", () => this.onTime());
    on("progress seeking seeked durationchange loadedmetadata", () => this.controls.showTime());
    on("progress durationchange loadedmetadata", () => this.onMore());
    on("durationchange loadedmetadata", () => this.controls.seekBar.showChapters());
    on("play pause playing ended", () => this.controls.showPlaying());
    on("play", () => this.clock.hold());
    on("playing", () => this.level());
    on("pointerdown keydown", () => this.leveller.wake(), document);
    on("volumechange", () => this.onVolume());
    on("ratechange", () => this.showBadge());
    on("waiting seeking", () => this.onWaiting());
    on("playing seeked canplay pause", () => this.onMoving());
    on("pause ended waiting seeking", () => this.heartbeat.rest());
    on("ended", () => this.heartbeat.finish(this.currentTime));
    on("enterpictureinpicture leavepictureinpicture", () => this.controls.wake());
    on("fullscreenchange", () => this.controls.wake(), this);
    on("pagehide", () => this.onLeave(), window);
    on("keydown", (event) => this.onKey(event), document);
    on("click", (event) => !this.contains(event.target) && this.menu.close(false), document);
    on("addtrack removetrack change", () => this.onEngineChange(), this.video.textTracks);
    on("loadedmetadata resize", () => this.measureFrame());
    this.sizes = new ResizeObserver(() => this.measureFrame());
    this.sizes.observe(this);
    this.controls.pip.hidden = !document.pictureInPictureEnabled || this.classList.contains("is-audio");
  }

  /** Give the stylesheet the place of the frames, so that nothing is drawn beside them. */
  measureFrame() {
    const { videoWidth: width, videoHeight: height } = this.video;
    const box = frameBox({ width: this.clientWidth, height: this.clientHeight }, { width, height });
    for (const [side, inset] of Object.entries(box)) this.style.setProperty(`--frame-${side}`, `${Math.round(inset)}px`);
  }

  onTime() {
    this.controls.showTime();
    if (!this.paused && !this.video.seeking) this.heartbeat.tick(this.currentTime);
  }

  /** Level the loudness once it is known how the video is played. */
  level() {
    if (!this.leveller.isKnown) return;
    if (!this.engine.hls && !this.leveller.usesVolume) this.leveller.useVolume();
    else this.leveller.start();
  }

  /** @param {boolean} isOn */
  setStable(isOn) {
    recordTaste({ stable: isOn });
    this.leveller.toggle(isOn);
  }

  onVolume() {
    const { volume } = this;
    const { muted } = this.video;
    this.controls.showVolume();
    // Muting by the browser's autoplay rule is not the person's choice.
    if (this.controls.unmute.hidden) recordTaste({ volume, muted });
  }

  onWaiting() {
    if (this.clock.awaited !== null) this.showAwaited();
    else this.controls.showWaiting(true, this.clock.isAtEncodedEdge ? this.words("preparing") : "");
  }

  onMoving() {
    if (this.clock.awaited !== null) return;
    if (this.video.readyState >= HTMLMediaElement.HAVE_FUTURE_DATA || this.paused) this.controls.showWaiting(false);
  }

  /** Show a seek, or a wait for a position that is not encoded yet. */
  onClockChange() {
    if (this.clock.awaited === null) this.onMoving();
    else this.showAwaited();
    this.controls.showTime();
    this.controls.showPlaying();
  }

  /** Go on if the position that is waited for is encoded now. */
  onMore() {
    this.clock.arrive();
    if (this.clock.awaited !== null) this.showAwaited();
  }

  showAwaited() {
    const { awaited, isKnown } = this.clock;
    this.controls.showWaiting(true, isKnown ? this.words("not-yet", { time: clockText(awaited) }) : "");
  }

  onEngineChange() {
    this.onMore();
    this.leveller?.choose(this.engine.audioTrack);
    this.controls.showTime();
    this.showBadge();
    const { chosen, tracks } = this.captions;
    this.controls.captions.hidden = tracks.length === 0;
    this.controls.captions.setAttribute("aria-pressed", String(chosen !== null));
    this.classList.toggle("has-captions", chosen !== null);
  }

  /** @param {string} word the name of a sentence; empty: the trouble is over */
  onTrouble(word) {
    if (word === "offline") this.controls.showWaiting(true, this.words(word));
    else if (word === "waiting") this.controls.showWaiting(true);
    else this.controls.showError(word && this.words(word));
  }

  onLeave() {
    if (this.engine.hls?.bandwidthEstimate) recordTaste({ bandwidth: Math.round(this.engine.hls.bandwidthEstimate) });
  }

  showBadge() {
    const playing = this.engine.qualities.find((quality) => quality.id === this.engine.quality);
    this.controls.badge.textContent = playing && playing.side >= 2160 ? "4K" : playing && playing.side >= 720 ? "HD" : "";
    this.dataset.quality = playing?.label ?? "";
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    const { target } = event;
    if (event.defaultPrevented || document.querySelector("dialog[open], [popover]:popover-open:not([data-toast])")) return;
    if (target.closest("textarea, select, [contenteditable], input:not([type=range])")) return;
    const isButton = target.closest("button, a, summary, [role=button]");
    if (isButton && (event.key === " " || event.key === "Enter")) return;
    if (target === this.controls.volumeInput && event.key.startsWith("Arrow")) return;
    const command = commandOf(event);
    if (!command) return;
    event.preventDefault();
    this.controls.wake();
    this.run(command);
  }

  /** @param {Command} command */
  run({ do: name, value = 0 }) {
    this.commands()[name]?.(value);
  }

  /**
   * Return the action of each command.
   * @returns {Record<string, (value: number) => unknown>}
   */
  commands() {
    return {
      play: () => this.togglePlay(),
      skip: (seconds) => this.skip(seconds),
      back: () => this.skip(-10),
      forward: () => this.skip(10),
      seek: (share) => this.seekTo(share * this.duration),
      louder: (change) => this.setVolume((this.video.muted ? 0 : this.volume) + change),
      mute: () => this.toggleMute(),
      unmute: () => this.toggleMute(),
      fullscreen: () => this.toggleFullscreen(),
      theatre: () => this.dispatchEvent(new CustomEvent("player-theatre", { bubbles: true })),
      danmaku: () => this.dispatchEvent(new CustomEvent("player-danmaku", { bubbles: true })),
      pip: () => this.togglePip(),
      captions: () => this.toggleCaptions(),
      faster: (step) => this.setSpeed(nextSpeed(this.video.playbackRate, step)),
      frame: (step) => this.paused && this.seekTo(this.currentTime + step * FRAME_S),
      menu: () => this.menu.toggle(),
      chapters: () => this.menu.openAt(this.words("chapters")),
      keys: () => part(this, "keys").showModal(),
      retry: () => this.retry(),
    };
  }

  togglePlay() {
    if (this.paused || this.ended) this.play().catch(() => {}); // after the end, from the beginning
    else this.pause();
    this.controls.flash("", this.paused ? "pause" : "play");
  }

  /** @param {number} seconds */
  skip(seconds) {
    this.seekTo(this.shownTime + seconds);
    this.controls.flash(`${seconds > 0 ? "+" : "−"}${Math.abs(seconds)} s · ${clockText(this.shownTime)}`);
  }

  /** @param {number} seconds */
  seekTo(seconds) {
    this.clock.seekTo(seconds);
  }

  /** @param {number} level */
  setVolume(level) {
    const volume = Math.round(Math.min(1, Math.max(0, level)) * 100) / 100;
    this.controls.unmute.hidden = true;
    if (volume) this.leveller.volume = volume;
    this.video.muted = volume === 0;
    this.controls.flash(this.words("volume", { percent: Math.round(volume * 100) }));
  }

  toggleMute() {
    this.controls.unmute.hidden = true;
    this.video.muted = !this.video.muted;
    this.controls.flash(this.words(this.video.muted ? "mute" : "unmute"));
  }

  /** @param {number} speed */
  setSpeed(speed) {
    this.video.defaultPlaybackRate = speed;
    this.video.playbackRate = speed;
    recordTaste({ speed });
    this.controls.flash(`${speed}×`);
  }

  /** @param {number} side the shorter side in pixels; 0: automatic */
  setQuality(side) {
    this.engine.choose(side);
    recordTaste({ quality: side });
  }

  toggleFullscreen() {
    return document.fullscreenElement ? leaveFullscreen() : enterFullscreen(this, this.video);
  }

  async togglePip() {
    if (document.pictureInPictureElement) await document.exitPictureInPicture();
    else await this.video.requestPictureInPicture?.().catch(() => {});
  }

  toggleCaptions() {
    const { captions } = this;
    const liked = captions.inLanguage(taste().captions) ?? captions.inLanguage(document.documentElement.lang);
    this.showCaptions(captions.chosen ? null : (liked ?? captions.tracks[0] ?? null));
  }

  /** @param {?TextTrack} wanted */
  showCaptions(wanted) {
    this.captions.choose(wanted);
    recordTaste({ captions: wanted?.language ?? "" });
    this.onEngineChange();
  }

  retry() {
    this.controls.showError("");
    this.engine.retry();
  }
}
