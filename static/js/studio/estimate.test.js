import assert from "node:assert/strict";
import { test } from "node:test";
import { about, SteadyEstimate } from "#studio/estimate";

test("seconds are rounded up to tens", () => {
  assert.equal(about(3, "en"), "10 seconds");
  assert.equal(about(41, "en"), "50 seconds");
  assert.equal(about(52, "en"), "1 minute");
});

test("minutes are whole and hours are halves", () => {
  assert.equal(about(230, "en"), "4 minutes");
  assert.equal(about(58, "en"), "1 minute");
  assert.equal(about(9000, "en"), "2.5 hours");
});

test("the reader's language names the unit", () => {
  assert.equal(about(240, "zh-Hans"), "4分钟");
});

/** Return the shown seconds for an estimate each half second. */
function shown(estimates, every = 500) {
  const steady = new SteadyEstimate();
  return estimates.map((estimate, index) => steady.next(estimate, index * every));
}

test("an estimate that swings does not make the shown number rise", () => {
  const seen = shown(Array.from({ length: 120 }, (_, index) => 240 - index / 2 + (index % 2 ? 45 : -45)));

  for (let index = 1; index < seen.length; index += 1) assert.ok(seen[index] <= seen[index - 1]);
  assert.ok(Math.abs(seen.at(-1) - 180) < 45, String(seen.at(-1)));
});

test("work that becomes much longer shows after a while", () => {
  const seen = shown([...Array(10).fill(60), ...Array(120).fill(600)]);

  assert.ok(seen[10] <= 60);
  assert.ok(seen.at(-1) > 400, String(seen.at(-1)));
  assert.ok(new Set(seen.slice(10).map((seconds) => about(seconds, "en"))).size < 12);
});

test("a short silence counts on and a long one shows nothing", () => {
  const seen = shown([60, null, null, null, null, null, null, null, null, null], 1000);

  assert.equal(Math.round(seen[3]), 57);
  assert.equal(seen.at(-1), null);
});

test("nothing is shown before anything is known, and the first estimate at once", () => {
  assert.deepEqual(shown([null, null, 300]), [null, null, 300]);
});
