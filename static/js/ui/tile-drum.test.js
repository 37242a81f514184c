import assert from "node:assert/strict";
import { test } from "node:test";

import { chosenStills } from "#ui/tile-drum";

/** Return the stills of a storyboard with 25 on each sheet. */
const storyboard = (count) =>
  Array.from({ length: count }, (_none, number) => ({ url: `${Math.floor(number / 25)}.jpg`, number }));

test("drum of a short video has all its stills", () => {
  assert.deepEqual(chosenStills(storyboard(12)).map(({ number }) => number), [...Array(12).keys()]);
});

test("drum of a long video needs three sheets from all its parts", () => {
  const chosen = chosenStills(storyboard(600));

  assert.deepEqual([...new Set(chosen.map(({ url }) => url))], ["0.jpg", "8.jpg", "16.jpg"]);
  assert.equal(chosen.length, 24);
  assert.deepEqual(chosen, chosen.toSorted((one, other) => one.number - other.number));
});

test("video without stills has an empty drum", () => {
  assert.deepEqual(chosenStills([]), []);
});
