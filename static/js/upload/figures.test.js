import assert from "node:assert/strict";
import { test } from "node:test";

import { left, size, Speed, titleOf } from "#upload/figures";

test("speed is that of the last seconds", () => {
  const speed = new Speed();
  assert.equal(speed.value, 0);
  for (let at = 0; at <= 20; at += 1) speed.record(at < 10 ? at * 100 : 1000 + (at - 10) * 500, at);
  assert.equal(Math.round(speed.value), 500);
});

test("part that begins anew is not a negative speed", () => {
  const speed = new Speed();
  speed.record(1000, 0);
  speed.record(200, 1);
  speed.record(700, 2);
  assert.equal(speed.value, 500);
});

test("sizes and times take the unit that says them best", () => {
  assert.equal(size(2_500_000, "en"), "2.5 MB");
  assert.equal(size(128_000_000, "en"), "128 MB");
  assert.deepEqual(left(12.4), { unit: "seconds", n: 12 });
  assert.deepEqual(left(600), { unit: "minutes", n: 10 });
  assert.deepEqual(left(5400), { unit: "hours", n: 1.5 });
});

test("title is the file's name without extension and separators", () => {
  assert.equal(titleOf("holiday_final-2.MOV"), "holiday final 2");
  assert.equal(titleOf("走马灯.mp4"), "走马灯");
  assert.equal(titleOf(".mp4"), ".mp4");
});

test("title never ends in half of a letter", () => {
  assert.equal(titleOf(`${"x".repeat(149)}😀 a.mp4`), "x".repeat(149));
  assert.equal(titleOf(`${"x".repeat(148)}😀 a.mp4`), `${"x".repeat(148)}😀`);
  assert.equal(titleOf("half \ud83d letter.mp4"), "half letter");
});
