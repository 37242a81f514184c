import assert from "node:assert/strict";
import { test } from "node:test";

import { LiveClock } from "#player/live-clock";

globalThis.HTMLMediaElement ??= /** @type {any} */ ({ HAVE_METADATA: 1, HAVE_CURRENT_DATA: 2, HAVE_FUTURE_DATA: 3 });

const STARTED_AT = Date.UTC(2026, 0, 1);

/** Return a clock 100 s after the start of a broadcast, with the calls to its engine. */
function made({ startedAt = STARTED_AT, ...members } = {}) {
  const calls = [];
  const record = (name) => (...values) => calls.push([name, ...values]);
  const engine = {
    date: STARTED_AT + 90_000, edgeDate: STARTED_AT + 100_000, buffered: 2,
    isRecorded: false, isInterrupted: false, isBehind: false,
    goLive: record("goLive"), seekToDate: record("seekToDate"), goOn: record("goOn"),
    ...members,
  };
  const video = { currentTime: 7, paused: false, readyState: 4, play: async () => calls.push(["play"]), pause: record("pause") };
  const clock = new LiveClock({ video, engine, startedAt, onChange: record("change") });
  return { clock, video, engine, calls };
}

test("time counts from the start of the broadcast, and duration is now", () => {
  const { clock } = made();

  assert.equal(clock.time, 90);
  assert.equal(clock.shownTime, 90);
  assert.equal(clock.duration, 100);
  assert.equal(clock.available, 100);
  assert.equal(clock.bufferedUntil, 92);
});

test("time without dates is that of the media element", () => {
  assert.equal(made({ date: null }).clock.time, 7);
  assert.equal(made({ startedAt: Number.NaN }).clock.time, 7);
});

test("time before the start of the broadcast is zero", () => {
  assert.equal(made({ date: STARTED_AT - 5000 }).clock.time, 0);
});

test("duration is never shorter than the time", () => {
  assert.equal(made({ edgeDate: STARTED_AT + 80_000 }).clock.duration, 90);
  assert.equal(made({ startedAt: Number.NaN }).clock.duration, 7);
});

test("seek within the broadcast goes to its date", () => {
  const { clock, calls } = made();

  clock.seekTo(40);

  assert.deepEqual(calls, [["seekToDate", STARTED_AT + 40_000], ["change"]]);
});

test("seek before the start goes to the start", () => {
  const { clock, calls } = made();

  clock.seekTo(-10);

  assert.deepEqual(calls[0], ["seekToDate", STARTED_AT]);
});

test("seek near the end goes to the live edge", () => {
  const { clock, calls } = made();

  clock.seekTo(98.5);

  assert.deepEqual(calls, [["goLive"], ["change"]]);
});

test("seek before the first date is known does nothing", () => {
  const { clock, calls } = made({ date: null });

  clock.seekTo(40);

  assert.deepEqual(calls, []);
});

test("player at the edge is live", () => {
  assert.equal(made().clock.isLive, true);
});

for (const [name, members] of Object.entries({
  "in the recording": { isRecorded: true },
  "of an interrupted broadcast": { isInterrupted: true },
  "behind the edge": { isBehind: true },
})) {
  test(`player ${name} is not live`, () => assert.equal(made(members).clock.isLive, false));
}

test("paused player is not live once it has a frame", () => {
  const { clock, video } = made();
  video.paused = true;

  assert.equal(clock.isLive, false);
  video.readyState = 1;
  assert.equal(clock.isLive, true, "before the first frame nothing is late");
});

test("play after a pause looks first whether the position is still in the window", async () => {
  const { clock, video, calls } = made();
  video.paused = true;

  await clock.play();

  assert.deepEqual(calls, [["goOn"], ["play"]]);
});

test("first play does not look for a position", async () => {
  const { clock, video, calls } = made();
  Object.assign(video, { paused: true, readyState: 0 });

  await clock.play();

  assert.deepEqual(calls, [["play"]]);
});

test("speed is free in the recording only", () => {
  assert.equal(made().clock.hasSpeeds, false);
  assert.equal(made({ isRecorded: true }).clock.hasSpeeds, true);
});

test("no position of a broadcast is waited for", () => {
  const { clock, calls } = made();

  clock.arrive();
  clock.hold();

  assert.equal(clock.awaited, null);
  assert.equal(clock.isAtEncodedEdge, false);
  assert.deepEqual(calls, []);
});
