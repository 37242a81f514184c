/**
 * ``<video-player data-player>``: the ``<video>`` inside it, enriched.
 *
 * To the outside it is a media element: ``currentTime``, ``paused``, ``duration``
 * and ``play()``. It asks the engine for the picture and the controls to show.
 */

import { call } from "#lib/api";
import { define, part } from "#lib/element";
import { wordsOf } from "#lib/words";
import { Controls } from "#player/controls";
import { Engine } from "#player/engine";
import { Heartbeat } from "#player/heartbeat";
import { commandOf, nextSpeed, SPEEDS } from "#player/keys";
import { notePosition, noteTaste, positionOf, taste } from "#player/memory";
import { Menu } from "#player/menu";
import { availableEnd, bufferedEnd, clampSeek, clock, shownDuration, startInAddress } from "#player/timeline";

const NOTE_EVERY_S = 5;
const FRAME_S = 1 / 30;

export class VideoPlayer extends HTMLElement {
  connectedCallback() {
    if (this.video) return;
    this.video = this.querySelector("video");
    this.probed = Number.parseFloat(this.dataset.duration) || 0;
    this.words = wordsOf(this);
    this.controls = new Controls(this, this.words);
    this.menu = new Menu(this.controls.menu, this.controls.settings, (name) => this.controls.icon(name), () => this.groups());
    this.heartbeat = this.makeHeartbeat();
    this.applyTaste();
    this.listen();
    this.start();
  }

  disconnectedCallback() {
    this.leaving?.abort();
    this.engine?.close();
  }

  // --- A media element to the outside -----------------------------------------------

  get currentTime() {
    return this.video.currentTime;
  }

  set currentTime(seconds) {
    this.seekTo(seconds);
  }

  get paused() {
    return this.video.paused;
  }

  get ended() {
    return this.video.ended;
  }

  get duration() {
    return shownDuration({ probed: this.probed, media: this.video.duration, isGrowing: this.engine?.isGrowing ?? false });
  }

  /** How far one can seek. */
  get available() {
    const { seekable, duration: media } = this.video;
    const seekableEnd = seekable.length ? seekable.end(seekable.length - 1) : 0;
    return availableEnd({ media, seekableEnd, duration: this.duration, isGrowing: this.engine?.isGrowing ?? false });
  }

  /** How far it would play without the network. */
  get bufferedUntil() {
    return bufferedEnd(this.video.buffered, this.video.currentTime);
  }

  play() {
    return this.video.play();
  }

  pause() {
    this.video.pause();
  }

  // --- Beginning --------------------------------------------------------------------

  applyTaste() {
    const { volume, muted, speed, captions } = taste();
    Object.assign(this.video, { volume, muted, defaultPlaybackRate: speed, playbackRate: speed, controls: false });
    this.controls.showVolume();
    const liked = this.captionTracks.find((track) => track.language === captions);
    if (liked) liked.mode = "showing";
  }

  makeHeartbeat() {
    return new Heartbeat({ send: (report, isLast) => this.report(report, isLast) });
  }

  engineOptions() {
    const { bandwidth, quality } = taste();
    return {
      src: this.dataset.src,
      bandwidth,
      side: quality,
      onChange: () => this.onEngineChange(),
      onTrouble: (word) => this.onTrouble(word),
    };
  }

  start() {
    this.engine = new Engine(this.video, this.engineOptions());
    this.engine.isGrowing = "encoding" in this.dataset;
    this.engine.load(startInAddress(location.search) ?? positionOf(this.dataset.video));
    this.describeToSystem();
    if ("autoplay" in this.dataset) this.playByItself();
  }

  /** With sound; where the browser does not let pages speak first, without, and with a button for it. */
  async playByItself() {
    try {
      await this.video.play();
    } catch (error) {
      if (error.name !== "NotAllowedError" || this.video.muted) return;
      this.video.muted = true;
      this.controls.unmute.hidden = false;
      await this.video.play().catch((again) => {
        if (again.name === "NotAllowedError") this.video.muted = false;
      });
    }
  }

  /** What a lock screen and a headset's buttons show and do. */
  describeToSystem() {
    const session = navigator.mediaSession;
    if (!session) return;
    const artwork = this.video.poster ? [{ src: this.video.poster }] : [];
    session.metadata = new MediaMetadata({ title: this.dataset.title, artist: this.dataset.artist, artwork });
    session.setActionHandler("seekbackward", () => this.run({ do: "skip", value: -10 }));
    session.setActionHandler("seekforward", () => this.run({ do: "skip", value: 10 }));
    session.setActionHandler("seekto", ({ seekTime }) => this.seekTo(seekTime));
  }

  // --- What happens -----------------------------------------------------------------

  listen() {
    this.leaving = new AbortController();
    const { signal } = this.leaving;
    const on = (names, act, target = this.video) => {
      for (const name of names.split(" ")) target.addEventListener(name, act, { signal });
    };
    on("timeupdate", () => this.onTime());
    on("progress seeking seeked durationchange loadedmetadata", () => this.controls.showTime());
    on("play pause playing ended", () => this.controls.showPlaying());
    on("volumechange", () => this.onVolume());
    on("ratechange", () => this.showBadge());
    on("waiting seeking", () => this.onWaiting());
    on("playing seeked canplay pause", () => this.onMoving());
    on("pause ended waiting seeking", () => this.heartbeat.rest());
    on("ended", () => this.heartbeat.finish(this.currentTime, this.duration));
    on("enterpictureinpicture leavepictureinpicture", () => this.controls.wake());
    on("fullscreenchange", () => this.controls.wake(), this);
    on("pagehide", () => this.onLeave(), window);
    on("keydown", (event) => this.onKey(event), document);
    on("click", (event) => !this.contains(event.target) && this.menu.close(false), document);
    on("addtrack removetrack change", () => this.onEngineChange(), this.video.textTracks);
    this.controls.pip.hidden = !document.pictureInPictureEnabled || this.classList.contains("is-audio");
  }

  onTime() {
    this.controls.showTime();
    if (this.paused || this.video.seeking) return;
    this.heartbeat.tick(this.currentTime);
    if (Math.abs(this.currentTime - (this.notedAt ?? 0)) >= NOTE_EVERY_S) this.notePlace();
  }

  notePlace() {
    this.notedAt = this.currentTime;
    notePosition(this.dataset.video, this.currentTime, this.duration);
  }

  onVolume() {
    const { volume, muted } = this.video;
    this.controls.showVolume();
    // Muted by the browser's rule for autoplay is not how someone likes it.
    if (this.controls.unmute.hidden) noteTaste({ volume, muted });
  }

  onWaiting() {
    const isAtEdge = this.engine.isGrowing && this.currentTime >= this.available - 1.5;
    clearTimeout(this.waitingTimer);
    this.controls.showWaiting(true, isAtEdge ? this.words("preparing") : "");
  }

  onMoving() {
    if (this.video.readyState >= HTMLMediaElement.HAVE_FUTURE_DATA || this.paused) this.controls.showWaiting(false);
  }

  onEngineChange() {
    this.controls.showTime();
    this.showBadge();
    this.controls.captions.hidden = this.captionTracks.length === 0;
    this.controls.captions.setAttribute("aria-pressed", String(this.captionTracks.some((t) => t.mode === "showing")));
  }

  /** @param {string} word */
  onTrouble(word) {
    if (word === "offline") this.controls.showWaiting(true, this.words(word));
    else this.controls.showError(word && this.words(word));
  }

  onLeave() {
    this.notePlace();
    this.heartbeat.finish(this.currentTime, this.duration);
    if (this.engine.hls?.bandwidthEstimate) noteTaste({ bandwidth: Math.round(this.engine.hls.bandwidthEstimate) });
  }

  /**
   * @param {object} report
   * @param {boolean} isLast the page may be gone before the answer
   */
  report(report, isLast) {
    return call("POST", `videos/${this.dataset.video}/views/`, report, { keepalive: isLast });
  }

  showBadge() {
    const playing = this.engine?.qualities.find((quality) => quality.id === this.engine.quality);
    this.controls.badge.textContent = playing && playing.side >= 2160 ? "4K" : playing && playing.side >= 720 ? "HD" : "";
    this.dataset.quality = playing?.label ?? "";
  }

  // --- What people ask for ------------------------------------------------------------

  /** @param {KeyboardEvent} event */
  onKey(event) {
    const { target } = event;
    if (event.defaultPrevented || document.querySelector("dialog[open], [popover]:popover-open:not([data-toast])")) return;
    if (target.closest("textarea, select, [contenteditable], input:not([type=range])")) return;
    const isButton = target.closest("button, a, summary, [role=button]");
    if (isButton && (event.key === " " || event.key === "Enter")) return;
    if (target === this.controls["volume-input"] && event.key.startsWith("Arrow")) return;
    const command = commandOf(event);
    if (!command) return;
    event.preventDefault();
    this.controls.wake();
    this.run(command);
  }

  /** @param {import("#player/keys").Command} command */
  run({ do: name, value = 0 }) {
    const acts = {
      play: () => this.togglePlay(),
      skip: () => this.skip(value),
      seek: () => this.seekTo(value * this.duration),
      louder: () => this.setVolume((this.video.muted ? 0 : this.video.volume) + value),
      mute: () => this.toggleMute(),
      unmute: () => this.toggleMute(),
      fullscreen: () => this.toggleFullscreen(),
      theatre: () => this.dispatchEvent(new CustomEvent("player-theatre", { bubbles: true })),
      danmaku: () => this.dispatchEvent(new CustomEvent("player-danmaku", { bubbles: true })),
      pip: () => this.togglePip(),
      captions: () => this.toggleCaptions(),
      faster: () => this.setSpeed(nextSpeed(this.video.playbackRate, value)),
      frame: () => this.paused && this.seekTo(this.currentTime + value * FRAME_S),
      menu: () => this.menu.toggle(),
      keys: () => part(this, "keys").showModal(),
      retry: () => this.retry(),
    };
    acts[name]?.();
  }

  togglePlay() {
    if (this.paused || this.ended) this.play().catch(() => {});
    else this.pause();
    this.controls.flash("", this.paused ? "pause" : "play");
  }

  /** @param {number} seconds */
  skip(seconds) {
    this.seekTo(this.currentTime + seconds);
    this.controls.flash(`${seconds > 0 ? "+" : "−"}${Math.abs(seconds)} s · ${clock(this.currentTime)}`);
  }

  /** @param {number} seconds */
  seekTo(seconds) {
    const isGrowing = this.engine?.isGrowing ?? false;
    this.video.currentTime = clampSeek(seconds, { available: this.available, isGrowing });
    this.controls.showTime();
  }

  /** @param {number} level */
  setVolume(level) {
    const volume = Math.round(Math.min(1, Math.max(0, level)) * 100) / 100;
    this.controls.unmute.hidden = true;
    Object.assign(this.video, { volume: volume || this.video.volume, muted: volume === 0 });
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
    noteTaste({ speed });
    this.controls.flash(`${speed}×`);
  }

  /** @param {number} side 0: automatic */
  setQuality(side) {
    this.engine.choose(side);
    noteTaste({ quality: side });
  }

  async toggleFullscreen() {
    if (document.fullscreenElement) await document.exitFullscreen();
    else if (this.requestFullscreen) await this.requestFullscreen().catch(() => {});
    else this.video.webkitEnterFullscreen?.(); // iPhones know only the video itself
  }

  async togglePip() {
    if (document.pictureInPictureElement) await document.exitPictureInPicture();
    else await this.video.requestPictureInPicture?.().catch(() => {});
  }

  get captionTracks() {
    return [...this.video.textTracks].filter((track) => track.kind === "captions" || track.kind === "subtitles");
  }

  toggleCaptions() {
    const shown = this.captionTracks.find((track) => track.mode === "showing");
    const spoken = (tag) => this.captionTracks.find((track) => track.language.toLowerCase() === tag.toLowerCase());
    const wanted = spoken(taste().captions) ?? spoken(document.documentElement.lang) ?? this.captionTracks[0];
    this.showCaptions(shown ? null : (wanted ?? null));
  }

  /** @param {?TextTrack} wanted */
  showCaptions(wanted) {
    for (const track of this.captionTracks) track.mode = track === wanted ? "showing" : "disabled";
    noteTaste({ captions: wanted?.language ?? "" });
  }

  retry() {
    this.controls.showError("");
    this.engine.tries = 0;
    this.engine.reload();
    this.play().catch(() => {});
  }

  /** @returns {import("#player/menu").Group[]} */
  groups() {
    const { engine, words } = this;
    const groups = [this.qualityGroup(), ...this.pace()];
    const tracks = this.captionTracks;
    const shown = tracks.find((track) => track.mode === "showing");
    if (tracks.length) {
      const off = { label: words("off"), isChosen: !shown, act: () => this.showCaptions(null) };
      const items = tracks.map((track) => ({ label: track.label || track.language, isChosen: track === shown, act: () => this.showCaptions(track) }));
      groups.push({ label: words("captions"), icon: "captions", value: shown?.label ?? words("off"), items: [off, ...items] });
    }
    if (engine.audioTracks.length > 1) {
      const items = engine.audioTracks.map(({ id, label }) => ({ label, isChosen: id === engine.audioTrack, act: () => (engine.audioTrack = id) }));
      groups.push({ label: words("audio"), icon: "audio", value: items.find((item) => item.isChosen)?.label ?? "", items });
    }
    groups.push({ label: words("keys"), icon: "keys", value: "?", act: () => this.run({ do: "keys" }) });
    return groups.filter((group) => group.items?.length !== 0);
  }

  qualityGroup() {
    const { engine, words } = this;
    const now = engine.qualities.find((quality) => quality.id === engine.quality);
    const automatic = { label: words("auto"), isChosen: engine.isAutomatic, act: () => this.setQuality(0) };
    const items = engine.qualities.map(({ label, side, id }) => ({
      label,
      isChosen: !engine.isAutomatic && id === engine.hls.loadLevel,
      act: () => this.setQuality(side),
    }));
    const value = engine.isAutomatic ? `${words("auto")}${now ? ` · ${now.label}` : ""}` : (items.find((i) => i.isChosen)?.label ?? "");
    return { label: words("quality"), icon: "quality", value, items: items.length ? [automatic, ...items] : [] };
  }

  /** @returns {import("#player/menu").Group[]} what may be chosen about speed */
  pace() {
    return [this.speedGroup()];
  }

  speedGroup() {
    const now = this.video.playbackRate;
    const name = (speed) => (speed === 1 ? this.words("normal") : `${speed}×`);
    const items = SPEEDS.map((speed) => ({ label: name(speed), isChosen: speed === now, act: () => this.setSpeed(speed) }));
    return { label: this.words("speed"), icon: "speed", value: name(now), items };
  }
}

define("video-player", VideoPlayer);
