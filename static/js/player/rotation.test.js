import assert from "node:assert/strict";
import { test } from "node:test";

import { install } from "#testing/dom";

install();
const { ScreenRotation } = await import("#player/rotation");

/** Return a phone with a player, and the calls that a turn makes. */
function made(player = {}) {
  const calls = [];
  const orientation = Object.assign(new EventTarget(), { type: "portrait-primary" });
  Object.assign(globalThis, { screen: { orientation } });
  Object.assign(document, { fullscreenElement: null, exitFullscreen: () => calls.push("exit") });
  const shell = {
    paused: false,
    video: { videoWidth: 1920, videoHeight: 1080 },
    getBoundingClientRect: () => ({ top: 60, bottom: 300 }),
    requestFullscreen: async () => {
      calls.push("enter");
      document.fullscreenElement = shell;
    },
    ...player,
  };
  new ScreenRotation(/** @type {any} */ (shell), new AbortController().signal);
  const turn = async (type) => {
    orientation.type = type;
    orientation.dispatchEvent(new Event("change"));
    await null;
    await null;
  };
  return { calls, turn };
}

test("phone that is turned sideways fills the screen, and leaves it upright", async () => {
  const { calls, turn } = made();
  await turn("landscape-primary");
  await turn("portrait-primary");

  assert.deepEqual(calls, ["enter", "exit"]);
});

for (const [reason, player] of Object.entries({
  "is paused": { paused: true },
  "is upright": { video: { videoWidth: 1080, videoHeight: 1920 } },
  "is out of sight": { getBoundingClientRect: () => ({ top: -400, bottom: -100 }) },
})) {
  test(`video that ${reason} does not fill the screen by a turn`, async () => {
    const { calls, turn } = made(player);
    await turn("landscape-primary");

    assert.deepEqual(calls, []);
  });
}

test("full screen that was not entered by a turn is not left by one", async () => {
  const { calls, turn } = made();
  document.fullscreenElement = {};
  await turn("landscape-primary");
  await turn("portrait-primary");

  assert.deepEqual(calls, []);
});

test("refused full screen is not left later", async () => {
  const { calls, turn } = made({
    requestFullscreen: async () => {
      throw new TypeError("needs a gesture");
    },
  });
  await turn("landscape-primary");
  await turn("portrait-primary");

  assert.deepEqual(calls, []);
});
