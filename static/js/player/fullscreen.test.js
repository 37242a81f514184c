import assert from "node:assert/strict";
import { afterEach, test } from "node:test";

import { enterFullscreen, leaveFullscreen } from "#player/fullscreen";

/** @type {string[]} */
let done = [];

/**
 * A screen that turns, and a player and a document that enter and leave full screen.
 * @param {(way: string) => void} lock
 */
function device(lock) {
  const orientation = { lock: async (/** @type {string} */ way) => lock(way), unlock: () => done.push("unlock") };
  Object.assign(globalThis, { screen: { orientation }, document: { exitFullscreen: async () => done.push("exit") } });
  return { requestFullscreen: async () => done.push("enter") };
}

afterEach(() => {
  done = [];
  Reflect.deleteProperty(globalThis, "screen");
  Reflect.deleteProperty(globalThis, "document");
});

for (const [shape, videoWidth, videoHeight, way] of [["wide", 1920, 1080, ["landscape"]], ["upright", 1080, 1920, ["portrait"]], ["square", 720, 720, []], ["unknown", 0, 0, []]]) {
  test(`screen is turned as a video of ${shape} shape is, in full screen only`, async () => {
    const player = device((turned) => done.push(turned));
    await enterFullscreen(player, { videoWidth, videoHeight });
    assert.deepEqual(done, ["enter", ...way]);
    await leaveFullscreen();
    assert.deepEqual(done.slice(-2), ["unlock", "exit"]);
  });
}

test("screen that does not turn fills all the same", async () => {
  const player = device(() => {
    throw new Error("NotSupportedError");
  });
  await enterFullscreen(player, { videoWidth: 1920, videoHeight: 1080 });
  assert.deepEqual(done, ["enter"]);
});

test("phone without full screen of elements shows the video itself", async () => {
  const video = { videoWidth: 1920, videoHeight: 1080, webkitEnterFullscreen: () => done.push("video") };
  await enterFullscreen({}, video);
  assert.deepEqual(done, ["video"]);
});
