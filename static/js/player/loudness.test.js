import assert from "node:assert/strict";
import { test } from "node:test";

import { factorOf, gainOf, Leveller } from "#player/loudness";

/** An audio context that runs once it may. */
class FakeContext {
  state = "suspended";
  mayRun = true;
  destination = { name: "destination" };
  sources = 0;

  async resume() {
    if (this.mayRun) this.state = "running";
  }

  createGain() {
    this.gain = { gain: { value: 1 }, connect: (to) => to };
    return this.gain;
  }

  createMediaElementSource() {
    this.sources += 1;
    return { connect: (to) => to };
  }

  async close() {
    this.state = "closed";
  }
}

function made(tracks, { isOn = true, mayRun = true } = {}) {
  const video = /** @type {any} */ ({ volume: 0.8 });
  const context = Object.assign(new FakeContext(), { mayRun });
  const leveller = new Leveller(video, tracks, { isOn, makeContext: () => /** @type {any} */ (context) });
  return { video, context, leveller };
}

test("a loud track is turned down, and a quiet one raised as far as its peak allows", () => {
  assert.equal(gainOf([-9, 0.5]), -5);
  assert.equal(gainOf([-20, -10]), 6);
  assert.equal(gainOf([-20, -3]), 2);
  assert.equal(gainOf([-20, 0.4]), 0);
  assert.equal(gainOf([-50, -40]), 12);
  assert.equal(gainOf(null), 0);
  assert.equal(factorOf(-20), 0.1);
});

test("audio is routed through the gain once the context runs, and not before", async () => {
  const { leveller, context, video } = made([[-8, 0]], { mayRun: false });
  await leveller.start();
  assert.equal(context.sources, 0);

  context.mayRun = true;
  await leveller.start();
  await leveller.start();

  assert.equal(context.sources, 1);
  assert.equal(context.gain.gain.value, factorOf(-6));
  assert.equal(video.volume, 0.8);
});

test("nothing is routed if nothing is to be levelled", async () => {
  for (const { leveller, context } of [made([]), made([null]), made([[-14, -1]]), made([[-8, 0]], { isOn: false })]) {
    await leveller.start();
    assert.equal(context.state, "suspended");
  }
});

test("another track and the switch change the gain", async () => {
  const { leveller, context } = made([[-8, 0], [-20, -10]]);
  await leveller.start();

  leveller.choose(1);
  assert.equal(context.gain.gain.value, factorOf(6));
  leveller.choose(-1);
  leveller.toggle(false);
  assert.equal(context.gain.gain.value, 1);
  leveller.toggle(true);
  assert.equal(context.gain.gain.value, factorOf(6));
});

test("without Web Audio a loud video is turned down by the volume, which keeps its meaning", () => {
  const { leveller, video } = made([[-8, 0]]);
  leveller.useVolume();
  assert.equal(Math.round(video.volume * 1000) / 1000, Math.round(0.8 * factorOf(-6) * 1000) / 1000);
  assert.equal(Math.round(leveller.volume * 100) / 100, 0.8);

  leveller.volume = 1;
  assert.equal(video.volume, factorOf(-6));

  leveller.toggle(false);
  assert.equal(Math.round(video.volume * 100) / 100, 1);
});

test("without Web Audio a quiet video is not raised", () => {
  const { leveller, video } = made([[-24, -20]]);
  leveller.useVolume();
  leveller.volume = 0.5;

  assert.equal(video.volume, 0.5);
});

test("a context that the system stopped runs again", async () => {
  const { leveller, context } = made([[-8, 0]]);
  await leveller.start();
  context.state = "interrupted";

  leveller.wake();
  await Promise.resolve();

  assert.equal(context.state, "running");
});
