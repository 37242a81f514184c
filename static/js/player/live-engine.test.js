/** Tests of positions in a broadcast, with a fake hls.js that has only playlists. */

import assert from "node:assert/strict";
import { afterEach, test } from "node:test";

import Hls from "hls.js";

globalThis.window ??= new EventTarget();
globalThis.HTMLMediaElement ??= class {
  static HAVE_METADATA = 1;
  static HAVE_CURRENT_DATA = 2;
  static HAVE_FUTURE_DATA = 3;
};
const { LiveEngine } = await import("#player/live-engine");

const BEGAN = Date.parse("2026-05-01T20:00:00Z");
const STALL = { fatal: false, details: Hls.ErrorDetails.BUFFER_STALLED_ERROR };
/** @type {LiveEngine[]} */
const engines = [];
afterEach(() => engines.splice(0).forEach((engine) => engine.end()));

/** Sixty segments of a second: from minute 5 to minute 6 of the broadcast. */
function livePlaylist() {
  const fragments = Array.from({ length: 60 }, (_none, at) => ({
    start: 300 + at, duration: 1, programDateTime: BEGAN + (300 + at) * 1000,
  }));
  return { fragments, startSN: 300, edge: 360, age: 0, live: true, partHoldBack: 0.6, holdBack: 3, targetduration: 1 };
}

function watch({ dvr = "/dvr.m3u8", isLowLatency = true } = {}) {
  const video = Object.assign(new EventTarget(), {
    currentTime: 359.4, paused: false, seeking: false, readyState: 4, playbackRate: 1,
    buffered: { length: 1, start: () => 350, end: () => 360 }, play: async () => {},
  });
  const options = { src: "/live.m3u8", dvr, startedAt: BEGAN, isLowLatency, bandwidth: 0, side: 0, onChange: () => {}, onTrouble: () => {}, onLost: () => {} };
  const engine = new LiveEngine(video, options);
  engines.push(engine);
  const opened = [];
  engine.load = (position) => opened.push([engine.src, position]);
  engine.hls = { latestLevelDetails: livePlaylist(), targetLatency: 0.6, liveSyncPosition: 359.4, destroy() {}, levels: [], startLoad() {} };
  return { engine, video, opened };
}

test("moment inside the live window is played from it", () => {
  const { engine, video, opened } = watch();
  engine.seekToDate(BEGAN + 320_500);
  assert.deepEqual([video.currentTime, opened, engine.isAtEdge], [320.5, [], false]);
});

test("moment before the live window is played from the recording", () => {
  const { engine, video, opened } = watch();
  engine.seekToDate(BEGAN + 12_000);
  assert.deepEqual([video.currentTime, opened, engine.isRecorded], [359.4, [["/dvr.m3u8", 12]], true]);
});

test("where nothing is recorded, an earlier moment is the start of the window", () => {
  const { engine, video, opened } = watch({ dvr: "" });
  engine.seekToDate(BEGAN + 12_000);
  assert.deepEqual([video.currentTime, opened], [303, []]);
});

test("from the recording, live is the live playlist again", () => {
  const { engine, opened } = watch();
  engine.seekToDate(BEGAN + 12_000);
  engine.goLive();
  assert.deepEqual([opened.at(-1), engine.isAtEdge], [["/live.m3u8", -1], true]);
});

test("viewer far behind is taken to the edge when the signal is back", () => {
  const { engine, video } = watch();
  video.currentTime = 350;
  engine.pace.jumps.allow(); // one jump was just made
  engine._pace();
  assert.equal(video.currentTime, 350);
  engine.interrupt();
  engine.resume();
  engine._pace();
  assert.equal(video.currentTime, 359.4);
});

test("paused viewer stays there when the signal is back", () => {
  const { engine, video } = watch();
  video.currentTime = 350;
  engine.hold();
  engine.interrupt();
  engine.resume();
  engine._pace();
  assert.equal(video.currentTime, 350);
});

test("distance from the edge grows with stalls and shrinks in calm", (context) => {
  context.mock.timers.enable({ apis: ["setInterval"] });
  const { engine } = watch();
  let now = 0;
  engine.margin.now = () => now;
  const targets = [];
  const look = () => {
    engine._pace();
    targets.push(Math.round(engine.target * 100) / 100);
  };
  engine._onError(STALL);
  engine._onError(STALL);
  look();
  for (now of [8000, 16_000, 24_000]) look();
  assert.deepEqual(targets, [1.1, 0.85, 0.6, 0.6]);
});

test("stall while the signal is gone is nobody's slow line", () => {
  const { engine } = watch();
  engine.interrupt();
  engine._onError(STALL);
  engine.resume();
  engine._pace();
  assert.equal(engine.target, 0.6);
});

test("without low latency one plays four segments behind the edge, and further after a stall", () => {
  const { engine } = watch({ isLowLatency: false });
  engine._pace();
  const before = engine.target;
  engine._onError(STALL);
  engine._pace();
  assert.deepEqual([before, engine.target], [4, 5]);
});
