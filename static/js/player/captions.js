/**
 * Captions drawn by the player. Browsers draw cues without a backing, break Chinese
 * lines after one word and leave no room for the controls. The browser still reads
 * the files and keeps the time: a chosen track is ``hidden``, which means read, not shown.
 * It draws where the page cannot: in picture in picture and in an iPhone's full screen.
 */

import { sideOf } from "#player/cues";

export class Captions {
  /**
   * @param {HTMLVideoElement} video
   * @param {HTMLElement} layer
   */
  constructor(video, layer) {
    this.video = video;
    this.layer = layer;
    /** @type {?TextTrack} */
    this.chosen = null;
    this.isForeign = false;
    this.draw = () => this._draw();
    // The browser turns on the playlist's captions by itself, where its person prefers them.
    video.textTracks.addEventListener?.("addtrack", () => this._setModes());
    const foreign = (/** @type {boolean} */ isForeign) => () => this._setForeign(isForeign);
    for (const name of ["enterpictureinpicture", "webkitbeginfullscreen"]) video.addEventListener(name, foreign(true));
    for (const name of ["leavepictureinpicture", "webkitendfullscreen"]) video.addEventListener(name, foreign(false));
  }

  /**
   * Return the captions of the page. A browser that plays HLS by itself lists those of the playlist as well: the same
   * again, so they are only used by a page without any.
   * @returns {TextTrack[]}
   */
  get tracks() {
    const all = this._all();
    const own = new Set([...(this.video.querySelectorAll?.("track") ?? [])].map((element) => element.track));
    return own.size ? all.filter((track) => own.has(track)) : all;
  }

  _all() {
    return [...this.video.textTracks].filter((track) => track.kind === "captions" || track.kind === "subtitles");
  }

  /**
   * Return the track in a language, compared without case.
   * @param {string} tag
   */
  inLanguage(tag) {
    return this.tracks.find((track) => track.language.toLowerCase() === tag.toLowerCase()) ?? null;
  }

  /** @param {?TextTrack} track null: none */
  choose(track) {
    this.chosen?.removeEventListener("cuechange", this.draw);
    this.chosen = track;
    track?.addEventListener("cuechange", this.draw);
    this._setModes();
    this._draw();
  }

  /** @param {boolean} isForeign whether a window outside of the page shows the video */
  _setForeign(isForeign) {
    this.isForeign = isForeign;
    this._setModes();
    this._draw();
  }

  _setModes() {
    const wanted = this.isForeign ? "showing" : "hidden";
    for (const track of this._all()) {
      const mode = track === this.chosen ? wanted : "disabled";
      if (track.mode !== mode) track.mode = mode; // setting it fires an event, even if it is the same
    }
  }

  _draw() {
    const cues = /** @type {VTTCue[]} */ (this.isForeign ? [] : [...(this.chosen?.activeCues ?? [])]);
    const sides = { top: document.createElement("div"), bottom: document.createElement("div") };
    for (const cue of cues) {
      const line = document.createElement("p");
      const words = document.createElement("span");
      words.append(cue.getCueAsHTML());
      line.append(words);
      line.lang = this.chosen.language;
      line.dataset.align = cue.align;
      sides[sideOf(cue)].append(line);
    }
    this.layer.replaceChildren(sides.top, sides.bottom);
  }
}
