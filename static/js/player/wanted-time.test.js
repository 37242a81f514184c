import assert from "node:assert/strict";
import { test } from "node:test";

import { WantedTime } from "#player/wanted-time";

const reach = (available, isGrowing = true) => ({ available, isGrowing });

test("wanted time is reached a second after it is encoded", () => {
  const wanted = new WantedTime();
  wanted.want(12, true);
  assert.deepEqual([8, 12, 12.9].map((available) => wanted.arrive(reach(available))), [null, null, null]);
  assert.equal(wanted.arrive(reach(16)), 12);
  assert.equal(wanted.isPending, false);
  assert.equal(wanted.arrive(reach(20)), null);
});

test("end of a video is reached once all of it is encoded", () => {
  const wanted = new WantedTime();
  wanted.want(60.2, false);
  assert.equal(wanted.arrive(reach(59.98)), null);
  assert.equal(wanted.arrive(reach(59.98, false)), 59.98);
});

test("later wish replaces the time and keeps whether it is to play", () => {
  const wanted = new WantedTime();
  wanted.want(12, true);
  wanted.want(30, false);
  assert.equal(wanted.arrive(reach(20)), null);
  assert.deepEqual([wanted.arrive(reach(32)), wanted.plays], [30, true]);
});

test("time that was given up is not reached later", () => {
  const wanted = new WantedTime();
  wanted.want(12, true);
  wanted.drop();
  assert.equal(wanted.arrive(reach(60, false)), null);
});
