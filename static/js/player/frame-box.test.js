import assert from "node:assert/strict";
import { test } from "node:test";

import { frameBox } from "#player/frame-box";

test("video of the player's shape fills it", () => {
  const box = frameBox({ width: 1280, height: 720 }, { width: 640, height: 360 });
  assert.deepEqual(box, { top: 0, right: 0, bottom: 0, left: 0 });
});

test("wide video has bars above and below", () => {
  const box = frameBox({ width: 800, height: 600 }, { width: 1600, height: 800 });
  assert.deepEqual(box, { top: 100, right: 0, bottom: 100, left: 0 });
});

test("portrait video has bars at its sides", () => {
  const box = frameBox({ width: 1600, height: 900 }, { width: 1080, height: 1920 });
  assert.deepEqual([box.top, box.left, box.right], [0, 546.875, 546.875]);
});

test("video of unknown size fills the player", () => {
  assert.deepEqual(frameBox({ width: 800, height: 600 }, { width: 0, height: 0 }), { top: 0, right: 0, bottom: 0, left: 0 });
});
