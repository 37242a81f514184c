import assert from "node:assert/strict";
import { test } from "node:test";
import { about } from "#studio/estimate";

test("seconds are rounded up to tens", () => {
  assert.equal(about(3, "en"), "10 seconds");
  assert.equal(about(41, "en"), "50 seconds");
});

test("minutes are whole and hours are halves", () => {
  assert.equal(about(230, "en"), "4 minutes");
  assert.equal(about(58, "en"), "1 minute");
  assert.equal(about(9000, "en"), "2.5 hours");
});

test("the reader's language names the unit", () => {
  assert.equal(about(240, "zh-Hans"), "4分钟");
});
