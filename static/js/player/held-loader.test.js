/** Tests of the loader of segments that may not exist yet. */

import assert from "node:assert/strict";
import { mock, test } from "node:test";

import Hls from "hls.js";

globalThis.self ??= globalThis; // as hls.js expects
const { HeldLoader, fragLoadPolicy, isHeld } = await import("#player/held-loader");

const HELD = "https://site/videos/a/hls/b/360p/12.m4s";
const SIGNED = "https://s3/media/videos/a/b/360p/1-1/12.m4s?X-Amz-Signature=1";

/** Return the policy that the request for ``url`` gets, and the statistics after its answer. */
function load(url) {
  const found = {};
  const XhrLoader = Object.getPrototypeOf(HeldLoader.prototype);
  const before = XhrLoader.load;
  XhrLoader.load = (_context, config, callbacks) => {
    found.policy = config.loadPolicy;
    found.stats = { loading: { start: 1000, first: 6000, end: 6500 } };
    callbacks.onSuccess({}, found.stats, {}, null);
  };
  new HeldLoader(Hls.DefaultConfig).load({ url }, { loadPolicy: fragLoadPolicy().default }, { onSuccess: () => {} });
  XhrLoader.load = before;
  return found;
}

test("addresses of the site are held and signed ones are not", () => {
  assert.deepEqual([HELD, `${HELD}?token=a`, HELD.replace("12.m4s", "init.mp4"), SIGNED, "https://site/live-media/a/b/r0/1.m4s"].map(isHeld), [true, true, true, false, false]);
});

test("wait for a segment does not count as its download", () => {
  assert.equal(load(HELD).stats.loading.start, 6000);
  assert.equal(load(SIGNED).stats.loading.start, 1000);
});

test("held segment has a minute until its first byte and others what hls.js gives them", () => {
  assert.equal(load(HELD).policy.maxTimeToFirstByteMs, 60_000);
  assert.equal(load(SIGNED).policy.maxTimeToFirstByteMs, Hls.DefaultConfig.fragLoadPolicy.default.maxTimeToFirstByteMs);
});

test("segment that will come is asked for without end and a lost one is given up", () => {
  const { shouldRetry } = fragLoadPolicy().default.errorRetry;
  assert.deepEqual([503, 429, 404, 410].map((code) => shouldRetry({}, 100, false, { code, url: HELD }, false)), [true, true, false, false]);
});

test("viewer is told of a wait of more than a second until it ends", () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  const XhrLoader = Object.getPrototypeOf(HeldLoader.prototype);
  const before = XhrLoader.load;
  XhrLoader.load = () => {};
  const told = [];
  HeldLoader.onHeld = () => told.push(HeldLoader.held.size);
  const loaders = [HELD, SIGNED].map((url) => {
    const loader = new HeldLoader(Hls.DefaultConfig);
    loader.load({ url }, { loadPolicy: {} }, {});
    return loader;
  });
  mock.timers.tick(900);
  assert.deepEqual(told, []);
  mock.timers.tick(200);
  assert.deepEqual(told, [1]);
  for (const loader of loaders) loader.destroy();
  assert.equal(HeldLoader.held.size, 0);
  XhrLoader.load = before;
  mock.timers.reset();
});
