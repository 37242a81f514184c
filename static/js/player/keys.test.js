import assert from "node:assert/strict";
import { test } from "node:test";

import { commandOf, nextSpeed } from "#player/keys";

test("keys have the commands of other players", () => {
  assert.deepEqual(commandOf({ key: " " }), { do: "play" });
  assert.deepEqual(commandOf({ key: "K" }), { do: "play" });
  assert.deepEqual(commandOf({ key: "j" }), { do: "skip", value: -10 });
  assert.deepEqual(commandOf({ key: "ArrowRight" }), { do: "skip", value: 5 });
  assert.deepEqual(commandOf({ key: "7" }), { do: "seek", value: 0.7 });
  assert.deepEqual(commandOf({ key: ">" }), { do: "faster", value: 1 });
});

test("browser's own keys stay its own", () => {
  assert.equal(commandOf({ key: "f", ctrlKey: true }), null);
  assert.equal(commandOf({ key: "l", metaKey: true }), null);
  assert.equal(commandOf({ key: "Tab" }), null);
  assert.equal(commandOf({ key: "constructor" }), null);
});

test("speeds go in steps and end somewhere", () => {
  assert.equal(nextSpeed(1, 1), 1.25);
  assert.equal(nextSpeed(1, -1), 0.75);
  assert.equal(nextSpeed(2, 1), 2);
  assert.equal(nextSpeed(0.25, -1), 0.25);
});
