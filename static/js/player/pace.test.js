import assert from "node:assert/strict";
import { test } from "node:test";

import { Pace } from "#player/pace";

const late = (excess) => ({ latency: 0.6 + excess, target: 0.6, buffered: 1 });

function begin(isLowLatency = true) {
  const time = { now: 0 };
  return { time, pace: new Pace({ isLowLatency, now: () => time.now }) };
}

test("little late is hurried, and on time is not", () => {
  const { pace } = begin();
  assert.deepEqual(pace.decide(late(0.05)), { rate: 1, jumps: false });
  const { rate, jumps } = pace.decide(late(0.2));
  assert.deepEqual([rate.toFixed(2), jumps], ["1.06", false]);
});

test("far behind jumps, once in ten seconds", () => {
  const { pace, time } = begin();
  const jumps = [0, 5000, 10_000].map((now) => {
    time.now = now;
    return pace.decide(late(3)).jumps;
  });
  assert.deepEqual(jumps, [true, false, true]);
});

test("after a gap in the signal a second is already too late, the first time", () => {
  const { pace } = begin();
  pace.returns();
  assert.equal(pace.decide({ latency: Number.NaN, target: 0.6, buffered: 0 }).jumps, false);
  assert.equal(pace.decide(late(1.2)).jumps, true);
  assert.equal(pace.decide(late(1.2)).jumps, false);
});

test("playback after a pause does not jump at once", () => {
  const { pace } = begin();
  pace.hold();
  assert.deepEqual(pace.decide(late(3)), { rate: 1.1, jumps: false });
});

test("with normal latency nothing is hurried", () => {
  const { pace } = begin(false);
  assert.equal(pace.decide(late(1)).rate, 1);
});

test("after a gap one jump is due, however short the last one is past", () => {
  const { pace } = begin();
  assert.equal(pace.decide(late(3)).jumps, true);
  pace.returns();
  assert.equal(pace.decide(late(3)).jumps, true);
});
