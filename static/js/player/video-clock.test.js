import assert from "node:assert/strict";
import { test } from "node:test";

import { VideoClock } from "#player/video-clock";

globalThis.HTMLMediaElement ??= /** @type {any} */ ({ HAVE_METADATA: 1, HAVE_CURRENT_DATA: 2, HAVE_FUTURE_DATA: 3 });

/** A media element with the members that the clock reads. */
class Video {
  currentTime = 0;
  duration = 60;
  paused = false;
  readyState = 4;
  seekable = { length: 0, end: () => 0 };
  buffered = { length: 0, start: () => 0, end: () => 0 };

  async play() {
    this.paused = false;
  }

  pause() {
    this.paused = true;
  }
}

/** Return a clock of a video of ``probed_s``, of which ``encoded_s`` is encoded. */
function made({ probed_s = 300, encoded_s = 60, isGrowing = true, ...more } = {}) {
  const video = Object.assign(new Video(), { duration: encoded_s }, more);
  const engine = { isGrowing };
  const calls = [];
  const clock = new VideoClock({ video, engine, probed_s, onChange: () => calls.push("change"), onPlay: () => calls.push("play") });
  return { clock, video, engine, calls };
}

test("duration of a video that is being encoded is the probed one", () => {
  const { clock, engine, video } = made();

  assert.equal(clock.duration, 300);
  assert.equal(clock.available, 60);
  engine.isGrowing = false;
  video.duration = 299.5;
  assert.equal(clock.duration, 299.5);
  assert.equal(clock.available, 299.5);
});

test("seek within the encoded part moves the playhead", () => {
  const { clock, video, calls } = made();

  clock.seekTo(30);

  assert.equal(video.currentTime, 30);
  assert.equal(clock.awaited, null);
  assert.deepEqual(calls, ["change"]);
});

test("seek before the start goes to the start", () => {
  const { clock, video } = made();

  clock.seekTo(-5);

  assert.equal(video.currentTime, 0);
});

test("seek beyond the encoded part pauses and waits there", () => {
  const { clock, video } = made();

  clock.seekTo(200);

  assert.equal(clock.awaited, 200);
  assert.equal(clock.shownTime, 200);
  assert.equal(clock.time, 0);
  assert.equal(video.paused, true);
  assert.equal(clock.isPaused, false, "it plays once it is there");
});

test("seek beyond the end waits for the end", () => {
  const { clock } = made();

  clock.seekTo(1000);

  assert.equal(clock.awaited, 300);
});

test("wait ends when the position is encoded, and playback goes on", () => {
  const { clock, video, calls } = made();
  clock.seekTo(200);
  clock.arrive();
  assert.equal(clock.awaited, 200);
  calls.length = 0;

  video.duration = 240;
  clock.arrive();

  assert.equal(clock.awaited, null);
  assert.equal(video.currentTime, 200);
  assert.deepEqual(calls, ["play", "change"]);
});

test("wait of a paused video ends without playback", () => {
  const { clock, video, calls } = made({ paused: true });
  clock.seekTo(200);
  video.duration = 240;
  calls.length = 0;

  clock.arrive();

  assert.equal(video.currentTime, 200);
  assert.deepEqual(calls, ["change"]);
});

test("play and pause during a wait decide whether it plays afterwards", async () => {
  const { clock, video } = made();
  clock.seekTo(200);

  clock.pause();
  assert.equal(clock.isPaused, true);
  await clock.play();

  assert.equal(clock.isPaused, false);
  assert.equal(video.paused, true, "the media element waits");
});

test("playback that a headset starts during a wait is held", async () => {
  const { clock, video } = made({ paused: true });
  clock.seekTo(200);
  await video.play();

  clock.hold();

  assert.equal(video.paused, true);
  assert.equal(clock.isPaused, false);
});

test("hold without a wait leaves playback alone", () => {
  const { clock, video } = made();

  clock.hold();

  assert.equal(video.paused, false);
});

test("seek to an encoded position ends a wait and goes on playing", () => {
  const { clock, video, calls } = made();
  clock.seekTo(200);
  calls.length = 0;

  clock.seekTo(10);

  assert.equal(clock.awaited, null);
  assert.equal(video.currentTime, 10);
  assert.deepEqual(calls, ["play", "change"]);
});

test("wait does not end before the playlists are loaded", () => {
  const { clock, video } = made({ readyState: 0 });
  clock.waitFor(30);

  clock.arrive();
  assert.equal(clock.isKnown, false);
  assert.equal(clock.awaited, 30);

  video.readyState = 1;
  clock.arrive();
  assert.equal(video.currentTime, 30);
});

test("playhead near the end of the encoded part is at its edge, unless all is encoded", () => {
  const { clock, engine } = made({ currentTime: 59 });

  assert.equal(clock.isAtEncodedEdge, true);
  engine.isGrowing = false;
  assert.equal(clock.isAtEncodedEdge, false);
});

test("buffered part ends where the range around the playhead ends", () => {
  const ranges = [[0, 8], [20, 26]];
  const buffered = { length: 2, start: (i) => ranges[i][0], end: (i) => ranges[i][1] };
  const { clock, video } = made({ buffered, currentTime: 21 });

  assert.equal(clock.bufferedUntil, 26);
  video.currentTime = 12;
  assert.equal(clock.bufferedUntil, 12);
});
