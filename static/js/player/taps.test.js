import assert from "node:assert/strict";
import { test } from "node:test";

import { TapCounter, zoneOf } from "#player/taps";

/** Return the counts of taps, each given as its time and its zone. */
const counts = (...taps) => {
  const counter = new TapCounter();
  return taps.map(([at_ms, zone]) => counter.tap(at_ms, zone));
};

test("zones are the sides and the middle", () => {
  assert.deepEqual([0, 0.34, 0.36, 0.64, 0.66, 1].map(zoneOf), [-1, -1, 0, 0, 1, 1]);
});

test("second quick tap of a zone counts two, a slow one counts one", () => {
  assert.deepEqual(counts([1000, 1], [1250, 1]), [1, 2]);
  assert.deepEqual(counts([1000, 1], [1300, 1]), [1, 1]);
});

test("taps after a double tap may be slower", () => {
  assert.deepEqual(counts([1000, 1], [1200, 1], [1700, 1], [2200, 1], [2900, 1]), [1, 2, 3, 4, 1]);
});

test("tap in another zone counts one", () => {
  assert.deepEqual(counts([1000, 1], [1200, 1], [1300, -1], [1400, -1]), [1, 2, 1, 2]);
});
