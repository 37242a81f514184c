/** Tests of the engine with a fake hls.js: levels and errors. */

import assert from "node:assert/strict";
import { test } from "node:test";

import Hls from "hls.js";

globalThis.window ??= new EventTarget();
const { Engine } = await import("#player/engine");

const { ErrorDetails, ErrorTypes } = Hls;
const SEGMENT = { type: ErrorTypes.NETWORK_ERROR, details: ErrorDetails.FRAG_LOAD_ERROR };
const PLAYLIST = { type: ErrorTypes.NETWORK_ERROR, details: ErrorDetails.LEVEL_LOAD_ERROR };

class FakeHls {
  done = [];
  autoLevelEnabled = true;
  currentLevel = -1;

  constructor(levels = []) {
    this.levels = levels;
  }

  recoverMediaError = () => this.done.push("recover");
  startLoad = () => this.done.push("start");
  stopLoad = () => this.done.push("stop");
  destroy = () => this.done.push("destroy");

  set nextLevel(level) {
    this.done.push(`level ${level}`);
  }
}

function begin(levels) {
  const words = [];
  const video = Object.assign(new EventTarget(), { currentTime: 30, paused: true, playbackRate: 1, canPlayType: () => "" });
  const engine = new Engine(video, { src: "/v.m3u8", bandwidth: 0, side: 0, onChange: () => {}, onTrouble: (word) => words.push(word) });
  const loads = [];
  engine.load = (position) => loads.push(position);
  engine.hls = new FakeHls(levels);
  const fail = (error) => engine._onError({ fatal: true, ...error });
  return { engine, words, loads, fail, hls: engine.hls };
}

/** Answer ``navigator.onLine`` with ``isOnline``. */
function beOnline(isOnline) {
  Object.defineProperty(globalThis, "navigator", { value: { onLine: isOnline }, configurable: true });
}

const level = (width, height, frameRate = 30) => ({ width, height, frameRate });

test("qualities are named by their short side and stand best first", () => {
  const { engine } = begin([level(640, 360), level(1920, 1080, 60), level(720, 1280), level(0, 0)]);
  assert.deepEqual(engine.qualities.map(({ id, label }) => [id, label]), [[1, "1080p60"], [2, "720p"], [0, "360p"]]);
});

test("size that is listed twice is offered once", () => {
  const { engine } = begin([level(640, 360), level(854, 480), level(640, 360)]);
  assert.deepEqual(engine.qualities.map(({ id, label }) => [id, label]), [[1, "480p"], [2, "360p"]]);
});

test("shown quality is the offered one, also at a level that is not offered", () => {
  const { engine } = begin([level(640, 360), level(854, 480), level(640, 360)]);
  const shown = [-1, 0, 1, 2].map((current) => {
    engine.hls.currentLevel = current;
    return engine.quality;
  });
  assert.deepEqual(shown, [-1, 2, 1, 2]);
});

test("video that is being encoded begins in the quality listed first, unless another one was chosen", () => {
  const begun = [[true, 0], [true, 720], [false, 0]].map(([isPartial, side]) => {
    const { engine, hls } = begin([level(640, 360), level(1920, 1080)]);
    Object.assign(engine, { isPartial, side });
    engine._begin(1);
    return hls.startLevel;
  });
  assert.deepEqual(begun, [1, undefined, undefined]);
});

test("playback that begins at the very end begins a little before it", () => {
  const { engine } = begin([]);
  const begun = [23.95, 23.4].map((position) => {
    Object.assign(engine.video, { duration: 24, currentTime: position });
    engine._beginBeforeEnd();
    return engine.video.currentTime;
  });
  assert.deepEqual(begun, [23.5, 23.4]);
});

test("beginning is moved also when the duration is known after the seek, and not once it plays", () => {
  const { engine } = begin([]);
  const video = Object.assign(new EventTarget(), { duration: NaN, currentTime: 23.95 });
  engine.video = /** @type {any} */ (video);
  engine._watchBeginning();
  const moved = [["seeking", NaN], ["durationchange", 24], ["playing", 24], ["seeking", 24]].map(([name, duration]) => {
    if (name === "playing") video.currentTime = 23.95;
    video.duration = Number(duration);
    video.dispatchEvent(new Event(String(name)));
    return video.currentTime;
  });
  assert.deepEqual(moved, [23.95, 23.5, 23.95, 23.95]);
});

test("liked quality is the best that is not larger, else the smallest there is", () => {
  const { engine, hls } = begin([level(640, 360), level(1920, 1080), level(1280, 720)]);
  for (const side of [1080, 900, 144, 0]) engine.choose(side);
  assert.deepEqual(hls.done, ["level 1", "level 2", "level 0", "level -1"]);
});

test("quality chosen in the last segment replaces the whole buffer, which would be played again", () => {
  const details = { fragments: [{ start: 0 }, { start: 4 }, { start: 8 }] };
  const chosen = [[5, false], [9, false], [10, true]].map(([currentTime, ended]) => {
    const { engine, hls } = begin([{ ...level(640, 360), details }, { ...level(1280, 720), details }]);
    Object.assign(engine.video, { currentTime, ended });
    hls.currentLevel = 0;
    engine.choose(720);
    return [hls.currentLevel, ...hls.done];
  });
  assert.deepEqual(chosen, [[0, "level 1"], [1], [1]]);
});

test("signed address that ran out is renewed where one is, once a minute", () => {
  const { fail, loads, words } = begin();
  fail({ ...SEGMENT, fatal: false, response: { code: 403 } });
  assert.deepEqual([loads, words], [[30], []]);
  fail({ ...SEGMENT, fatal: false, response: { code: 403 } });
  assert.deepEqual([loads, words], [[30], ["gone"]]);
});

test("segment beyond an end that has moved is no end: the playlists are fetched anew", () => {
  const { fail, loads, words } = begin();
  fail({ ...SEGMENT, fatal: false, response: { code: 410 } });
  assert.deepEqual([loads, words], [[30], []]);
});

test("playlist that is refused says that the video is gone", () => {
  for (const code of [401, 403, 404, 410]) {
    const { fail, words } = begin();
    fail({ ...PLAYLIST, response: { code } });
    assert.deepEqual(words, ["gone"]);
  }
});

test("error that hls.js mends by itself is not shown", () => {
  const { engine, words, hls } = begin();
  engine._onError({ ...SEGMENT, fatal: false, response: { code: 500 } });
  assert.deepEqual([words, hls.done], [[], []]);
});

test("decoder that fails is started anew twice, and then the viewer sees an error", () => {
  const { fail, hls, words } = begin();
  for (let i = 0; i < 3; i += 1) fail({ type: ErrorTypes.MEDIA_ERROR });
  assert.deepEqual([hls.done, words], [["recover", "recover", "stop"], ["decode"]]);
});

test("network that fails is tried five times, and then the viewer sees an error", (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  beOnline(true);
  const { fail, hls, words } = begin([level(640, 360)]);
  for (let i = 0; i < 6; i += 1) {
    fail(PLAYLIST);
    context.mock.timers.tick(10_000);
  }
  assert.deepEqual([hls.done.length, words], [5, ["network"]]);
});

test("without a connection one waits for it, however long it takes", (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  beOnline(false);
  const { engine, fail, hls, words } = begin([level(640, 360)]);
  for (let i = 0; i < 8; i += 1) {
    fail(PLAYLIST);
    context.mock.timers.tick(10_000);
  }
  assert.deepEqual([hls.done.length, new Set(words)], [8, new Set(["offline"])]);
  engine._recovered();
  assert.equal(words.at(-1), "");
});
