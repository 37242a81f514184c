import assert from "node:assert/strict";
import { test } from "node:test";

import { catchUpRate, dateAt, delayFigure, isBehind, positionAt, windowOf } from "#player/live-timeline";

// Two seconds, a signal that was gone for eight, two seconds more.
const FRAGMENTS = [
  { start: 10, duration: 1, programDateTime: 100_000 },
  { start: 11, duration: 1, programDateTime: 101_000 },
  { start: 12, duration: 1, programDateTime: 110_000 },
  { start: 13, duration: 1, programDateTime: 111_000 },
];

test("position has the date of its fragment, and goes on behind the last one", () => {
  const dates = [9, 10, 11.5, 12, 13.5, 15].map((position) => dateAt(FRAGMENTS, position));
  assert.deepEqual(dates, [99_000, 100_000, 101_500, 110_000, 111_500, 113_000]);
  assert.equal(dateAt([], 1), null);
  assert.equal(dateAt([{ start: 0, duration: 1, programDateTime: null }], 1), null);
});

test("date has its position, and one in a gap the position after the gap", () => {
  const positions = [100_000, 101_500, 105_000, 110_250].map((date) => positionAt(FRAGMENTS, date));
  assert.deepEqual(positions, [10, 11.5, 12, 12.25]);
});

test("date before the window has no position", () => {
  assert.equal(positionAt(FRAGMENTS, 99_999), null);
  assert.equal(positionAt([], 1), null);
});

test("young window has everything, and an older one loses its beginning before it could be loaded", () => {
  const fragments = [{ start: 0, duration: 1, programDateTime: 100_000 }];
  assert.deepEqual(windowOf({ fragments, startSN: 0, edge: 11 }), { start: 0, isWhole: true });
  assert.deepEqual(windowOf({ fragments, startSN: 0, edge: 25 }), { start: 3, isWhole: false });
  assert.deepEqual(windowOf({ fragments, startSN: 5, edge: 11 }), { start: 3, isWhole: false });
  assert.deepEqual(windowOf(null), { start: Number.NaN, isWhole: false });
});

test("player hurries by how late it is, at most a tenth, and only with something in hand", () => {
  assert.equal(catchUpRate({ latency: 0.9, target: 0.8, buffered: 0.6 }), 1.02 + 0.2 * (0.9 - 0.8));
  assert.equal(catchUpRate({ latency: 3, target: 0.8, buffered: 0.6 }), 1.1);
  assert.equal(catchUpRate({ latency: 0.85, target: 0.8, buffered: 0.6 }), 1);
  assert.equal(catchUpRate({ latency: 3, target: 0.8, buffered: 0.3 }), 1);
  assert.equal(catchUpRate({ latency: Number.NaN, target: 0.8, buffered: 1 }), 1);
});

test("few seconds late is no longer live", () => {
  assert.equal(isBehind({ latency: 1.5, target: 0.8 }), false);
  assert.equal(isBehind({ latency: 5, target: 0.8 }), true);
});

test("delay is shown in tenths while they matter", () => {
  assert.deepEqual([0, Number.NaN, 0.84, 4.26, 12.4].map(delayFigure), ["", "", "0.8", "4.3", "12"]);
});
