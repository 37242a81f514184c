import assert from "node:assert/strict";
import test from "node:test";

import { ClipClock } from "#player/clip-clock";

/** Return a clock from 2.5 s to 12.5 s of its playlists, its video, and the number of its ends. */
function made() {
  const video = {
    currentTime: 2.5,
    paused: true,
    seeking: false,
    readyState: 4,
    playbackRate: 1,
    buffered: { length: 1, start: () => 0, end: () => 8 },
    play: async () => (video.paused = false),
    pause: () => (video.paused = true),
  };
  const ends = { count: 0 };
  const clock = new ClipClock(
    /** @type {any} */ ({ video, engine: { isGrowing: false }, in_s: 2.5, out_s: 12.5, onChange() {}, onPlay() {}, onEnd: () => (ends.count += 1) }),
  );
  return { clock, video, ends };
}

test("time counts from the in point to the out point", () => {
  const { clock, video } = made();

  assert.deepEqual([clock.time, clock.duration, clock.available, clock.bufferedUntil], [0, 10, 10, 5.5]);
  video.currentTime = 7.5;
  assert.equal(clock.time, 5);
  video.currentTime = 20;
  assert.equal(clock.time, 10);
});

test("a seek stays inside the clip", () => {
  const { clock, video } = made();

  clock.seekTo(4);
  assert.equal(video.currentTime, 6.5);
  clock.seekTo(-1);
  assert.equal(video.currentTime, 2.5);
  clock.seekTo(99);
  assert.equal(video.currentTime, 12.5);
});

test("the video stops at the out point, once", () => {
  const { clock, video, ends } = made();
  video.paused = false;
  video.currentTime = 12.55;

  clock.watch();
  clock.watch();

  assert.deepEqual([video.paused, clock.isEnded, clock.time, ends.count], [true, true, 10, 1]);
});

test("a timer ends the last stretch between two timeupdates", async () => {
  const { clock, video, ends } = made();
  video.paused = false;
  video.currentTime = 12.47;

  clock.watch();
  video.currentTime = 12.5;
  await new Promise((resolve) => setTimeout(resolve, 80));

  assert.deepEqual([video.paused, ends.count], [true, 1]);
});

test("a clip that ended plays again from its in point", async () => {
  const { clock, video } = made();
  clock.stop();

  await clock.play();

  assert.deepEqual([video.currentTime, video.paused, clock.isEnded], [2.5, false, false]);
});

test("a headset that starts an ended clip starts it at its in point", () => {
  const { clock, video } = made();
  video.currentTime = 12.5;
  clock.stop();

  clock.hold();

  assert.deepEqual([video.currentTime, clock.isEnded], [2.5, false]);
});

test("a browser that begins with the first segment is moved to the in point", () => {
  const { clock, video } = made();
  video.currentTime = 0;

  clock.watch();

  assert.equal(video.currentTime, 2.5);
});

test("a clip whose media end before the out point ends there", () => {
  const { clock, video, ends } = made();
  video.currentTime = 12.4;

  clock.stop();

  assert.deepEqual([clock.time, ends.count], [10, 1]);
});
