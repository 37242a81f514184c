/** Tests of captions that the player draws or leaves to the browser; plain objects replace the page. */

import assert from "node:assert/strict";
import { test } from "node:test";

const { Captions } = await import("#player/captions");

/** An element that holds others. */
class Holder {
  children = [];
  dataset = {};

  append(...added) {
    this.children.push(...added);
  }

  replaceChildren(...now) {
    this.children = now;
  }

  get text() {
    return this.children.map((child) => (typeof child === "string" ? child : child.text)).join("");
  }
}
globalThis.document ??= { createElement: () => new Holder() };

class Track extends EventTarget {
  mode = "disabled";
  activeCues = [];

  constructor(language, kind = "captions") {
    super();
    this.language = language;
    this.kind = kind;
  }

  /** As the browser does when other cues are due. */
  show(...cues) {
    this.activeCues = cues;
    this.dispatchEvent(new Event("cuechange"));
  }
}

const cue = (text, { line = "auto", snapToLines = true, align = "center" } = {}) => ({ line, snapToLines, align, getCueAsHTML: () => text });

function begin() {
  const tracks = [new Track("de"), new Track("zh-Hans"), new Track("en", "metadata")];
  const video = Object.assign(new EventTarget(), { textTracks: tracks });
  const layer = new Holder();
  const shown = () => layer.children.map((side) => side.children.map((line) => line.text));
  return { captions: new Captions(video, layer), video, tracks, layer, shown };
}

test("chosen track is read and not drawn by the browser, and others are not read", () => {
  const { captions, tracks } = begin();
  captions.choose(tracks[0]);
  assert.deepEqual(tracks.map(({ mode }) => mode), ["hidden", "disabled", "disabled"]);
  captions.choose(tracks[1]);
  assert.deepEqual(tracks.map(({ mode }) => mode), ["disabled", "hidden", "disabled"]);
  captions.choose(null);
  assert.deepEqual(tracks.map(({ mode }) => mode), ["disabled", "disabled", "disabled"]);
});

test("cues are drawn at the edge they ask for, in the language of their track", () => {
  const { captions, tracks, layer, shown } = begin();
  captions.choose(tracks[1]);
  tracks[1].show(cue("上面", { line: 0 }), cue("下面一"), cue("下面二", { line: 90, snapToLines: false, align: "start" }));
  assert.deepEqual(shown(), [["上面"], ["下面一", "下面二"]]);
  const last = layer.children[1].children[1];
  assert.deepEqual([last.lang, last.dataset.align], ["zh-Hans", "start"]);
  tracks[1].show();
  assert.deepEqual(shown(), [[], []]);
});

test("track that is no longer chosen draws nothing", () => {
  const { captions, tracks, shown } = begin();
  captions.choose(tracks[0]);
  captions.choose(tracks[1]);
  tracks[0].show(cue("Guten Tag"));
  assert.deepEqual(shown(), [[], []]);
});

test("in picture in picture the browser draws, and back on the page the player does", () => {
  const { captions, video, tracks, shown } = begin();
  captions.choose(tracks[0]);
  tracks[0].show(cue("Guten Tag"));
  video.dispatchEvent(new Event("enterpictureinpicture"));
  assert.deepEqual([tracks[0].mode, shown()], ["showing", [[], []]]);
  video.dispatchEvent(new Event("leavepictureinpicture"));
  assert.deepEqual([tracks[0].mode, shown()], ["hidden", [[], ["Guten Tag"]]]);
});

test("language of a caption track is found without regard to case", () => {
  const { captions, tracks } = begin();
  assert.equal(captions.inLanguage("ZH-hans"), tracks[1]);
  assert.equal(captions.inLanguage("en"), null);
});

test("captions of the playlist are used only by a page that has none", () => {
  const { captions, tracks, video } = begin();
  video.querySelectorAll = () => [{ track: tracks[0] }];
  tracks[1].mode = "showing"; // the browser turned them on by itself
  captions.choose(null);
  assert.deepEqual(captions.tracks, [tracks[0]]);
  assert.equal(tracks[1].mode, "disabled");
  video.querySelectorAll = () => [];
  assert.deepEqual(captions.tracks, [tracks[0], tracks[1]]);
});
