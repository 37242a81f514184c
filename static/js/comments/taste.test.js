import assert from "node:assert/strict";
import { test } from "node:test";

import { filtered, USUAL, wordsIn } from "#comments/taste";

const flying = { text: "Hello World", mode: "top", color: "#ff6b6b" };

test("usually everything is shown as it is", () => {
  assert.equal(filtered(flying, USUAL), flying);
});

test("place that is not wanted is left out, and so are words in any case", () => {
  assert.equal(filtered(flying, { ...USUAL, top: false }), null);
  assert.equal(filtered(flying, { ...USUAL, words: "nothing, WORLD" }), null);
  assert.deepEqual(wordsIn(" a，b、 ,C "), ["a", "b", "c"]);
});

test("without colour everything is white", () => {
  assert.equal(filtered(flying, { ...USUAL, color: false }).color, "#ffffff");
});

test("own message is shown in spite of filters", () => {
  assert.notEqual(filtered({ ...flying, isOwn: true }, { ...USUAL, top: false, words: "hello" }), null);
});
