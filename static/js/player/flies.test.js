import assert from "node:assert/strict";
import { test } from "node:test";

import { MOST_LETTERS, flies } from "#player/flies";

test("short words fly, in any script", () => {
  for (const text of ["gg", "前方高能！", "你好👋🏽", "2.5 m/s", "and/or", "好".repeat(MOST_LETTERS)]) assert.equal(flies(text), true, text);
});

test("messages with a link do not fly", () => {
  for (const text of ["see https://lamps.example/now", "HTTP://x.example", "看www.lamps.example", "lamps.example/buy", "go to (t.me/lamps)"]) {
    assert.equal(flies(text), false, text);
  }
});

test("long messages do not fly", () => {
  assert.equal(flies("a".repeat(MOST_LETTERS + 1)), false);
  assert.equal(flies("啊".repeat(100)), false);
});
