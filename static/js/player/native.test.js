/** The engines where hls.js does not run, as on older iPhones, on a ``<video>`` that only records calls. */

import assert from "node:assert/strict";
import { after, test } from "node:test";

globalThis.window ??= new EventTarget();
globalThis.HTMLMediaElement ??= class {
  static HAVE_METADATA = 1;
  static HAVE_CURRENT_DATA = 2;
  static HAVE_FUTURE_DATA = 3;
};
globalThis.MediaError ??= class {
  static MEDIA_ERR_DECODE = 3;
};

const { Engine } = await import("#player/engine");
const { LiveEngine } = await import("#player/live-engine");

const LIVE = "/live-media/b1/open/multivariant.m3u8";
const DVR = "/live-dvr/b1/open/multivariant.m3u8";

/** Ranges as a media element has them. */
const ranges = (...pairs) => ({ length: pairs.length, start: (at) => pairs[at][0], end: (at) => pairs[at][1] });

class FakeVideo extends EventTarget {
  /** @type {number[]} */
  seeks = [];
  /** @type {string[]} */
  sources = [];
  paused = false;
  playbackRate = 1;
  readyState = 0;
  duration = Number.POSITIVE_INFINITY;
  seekable = ranges();
  buffered = ranges();
  #time = 0;

  canPlayType = () => "maybe";
  play = async () => {};

  get currentTime() {
    return this.#time;
  }

  set currentTime(seconds) {
    this.seeks.push(seconds);
    this.#time = seconds;
  }

  set src(address) {
    this.sources.push(address);
    this.readyState = 0;
  }

  /** As the browser does once it knows the playlist. */
  begin({ at = 0, seekableEnd = 0 } = {}) {
    this.#time = at;
    this.readyState = 4;
    this.seekable = seekableEnd ? ranges([0, seekableEnd]) : ranges();
    this.dispatchEvent(new Event("loadedmetadata"));
  }
}

const shared = { bandwidth: 0, side: 0, onChange: () => {}, onTrouble: () => {} };
/** @type {LiveEngine[]} */
const engines = [];
after(() => engines.forEach((engine) => engine.end()));

function goLive() {
  const video = new FakeVideo();
  const engine = new LiveEngine(video, { ...shared, src: LIVE, dvr: DVR, startedAt: Date.now() - 100_000, isLowLatency: true, onLost: () => {} });
  engines.push(engine);
  engine.load(-1);
  return { video, engine };
}

test("broadcast begins where the browser takes it, at the live edge", () => {
  const { video } = goLive();
  video.begin({ at: 91, seekableEnd: 95 });
  assert.deepEqual([video.sources, video.seeks, video.currentTime], [[LIVE], [], 91]);
});

test("video begins where it was asked to, the beginning included", () => {
  for (const [position, browsersOwn, seeks] of [[0, 0, []], [0, 52, [0]], [40, 0, [40]]]) {
    const video = new FakeVideo();
    new Engine(video, { ...shared, src: "/video.m3u8" }).load(position);
    video.begin({ at: browsersOwn });
    assert.deepEqual(video.seeks, seeks);
  }
});

test("broadcast whose signal is back is opened anew at the live edge", () => {
  const { video, engine } = goLive();
  video.begin({ at: 20, seekableEnd: 24 });
  engine.interrupt();
  engine.resume();
  video.begin({ at: 61, seekableEnd: 65 });
  assert.deepEqual([video.sources, video.seeks, video.currentTime], [[LIVE, LIVE], [], 61]);
});

test("viewer in the recording stays there when the signal is back", () => {
  const { video, engine } = goLive();
  video.begin({ at: 20, seekableEnd: 24 });
  engine.seekToDate(engine.startedAt + 7000);
  assert.deepEqual(video.sources, [LIVE, DVR]);
  video.begin({ at: 0, seekableEnd: 60 });
  assert.deepEqual([video.seeks, engine.isRecorded], [[7], true]);
  engine.interrupt();
  engine.resume();
  assert.deepEqual([video.sources, video.currentTime], [[LIVE, DVR], 7]);
  assert.equal(engine.date, engine.startedAt + 7000);
});

test("from the recording one returns to the live edge", () => {
  const { video, engine } = goLive();
  video.begin({ at: 20, seekableEnd: 24 });
  engine.seekToDate(engine.startedAt + 7000);
  video.begin({ seekableEnd: 60 });
  engine.goLive();
  video.begin({ at: 88, seekableEnd: 92 });
  assert.deepEqual([video.sources, video.seeks, engine.isAtEdge], [[LIVE, DVR, LIVE], [7], true]);
});

test("browser's own hold back counts as live, a longer delay does not", () => {
  const { video, engine } = goLive();
  video.begin({ at: 80, seekableEnd: 88 });
  const atHoldBack = engine.isBehind;
  video.currentTime = 70;
  assert.deepEqual([atHoldBack, engine.isBehind], [false, true]);
});

test("broadcast that failed is opened anew once for one error", (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  globalThis.navigator ??= { onLine: true };
  const { video, engine } = goLive();
  for (let failures = 1; failures <= 3; failures += 1) {
    video.begin({ at: 20, seekableEnd: 24 });
    video.dispatchEvent(new Event("error"));
    context.mock.timers.tick(10_000);
    assert.equal(video.sources.length, 1 + failures);
  }
  assert.deepEqual([video.seeks, engine.isAtEdge], [[], true]);
});
