import assert from "node:assert/strict";
import { test } from "node:test";

import { availableEnd, bufferedEnd, clampSeek, clock, isBeyond, shownDuration, startInAddress } from "#player/timeline";

test("times read like a clock", () => {
  const shown = [Number.NaN, -1, 0, 9.9, 65, 3723, Infinity].map(clock);
  assert.deepEqual(shown, ["0:00", "0:00", "0:00", "0:09", "1:05", "1:02:03", "0:00"]);
});

test("while it is encoded, a video is as long as it was probed", () => {
  assert.equal(shownDuration({ probed: 60, media: 8, isGrowing: true }), 60);
  assert.equal(shownDuration({ probed: 60, media: Number.NaN, isGrowing: true }), 60);
  assert.equal(shownDuration({ probed: 60, media: 61, isGrowing: true }), 61);
});

test("finished video is as long as it is", () => {
  assert.equal(shownDuration({ probed: 60, media: 60.02, isGrowing: false }), 60.02);
  assert.equal(shownDuration({ probed: 60, media: Infinity, isGrowing: false }), 60);
});

test("seek stays inside the encoded part, before its end while it grows", () => {
  const available = availableEnd({ media: 8, seekableEnd: 8, duration: 60, isGrowing: true });
  assert.equal(available, 8);
  assert.equal(availableEnd({ media: Infinity, seekableEnd: 9, duration: 60, isGrowing: true }), 9);
  assert.equal(availableEnd({ media: 60, seekableEnd: 0, duration: 60, isGrowing: false }), 60);
  assert.equal(clampSeek(30, { available, isGrowing: true }), 7);
  assert.equal(clampSeek(-5, { available, isGrowing: true }), 0);
  assert.equal(clampSeek(60, { available: 60, isGrowing: false }), 60);
});

test("only a video that grows has times that are not there yet", () => {
  const growing = [0, 7, 7.5, 30].map((wanted) => isBeyond(wanted, { available: 8, isGrowing: true }));
  assert.deepEqual(growing, [false, false, true, true]);
  assert.equal(isBeyond(0, { available: 0, isGrowing: true }), false);
  assert.equal(isBeyond(61, { available: 60, isGrowing: false }), false);
});

test("buffered is the range around the playhead", () => {
  const ranges = [[0, 4], [10, 20]];
  const buffered = { length: 2, start: (i) => ranges[i][0], end: (i) => ranges[i][1] };
  assert.equal(bufferedEnd(buffered, 12), 20);
  assert.equal(bufferedEnd(buffered, 6), 6);
});

test("address may say where to begin", () => {
  const asked = ["?t=90", "?t=90s", "?t=1m30s", "?t=1h2m3s", "?t=", "", "?t=abc", "?t=-4"];
  assert.deepEqual(asked.map(startInAddress), [90, 90, 90, 3723, null, null, null, null]);
});
