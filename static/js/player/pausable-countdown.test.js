import assert from "node:assert/strict";
import { mock, test } from "node:test";

import { PausableCountdown } from "#player/pausable-countdown";

/** Return a countdown of 8 s on a mocked clock, and its record. */
function made(t) {
  mock.timers.enable({ apis: ["setInterval", "Date"] });
  t.after(() => mock.timers.reset());
  const told = { ticks: [], ends: 0, isHeld: false };
  const countdown = new PausableCountdown({
    seconds: 8,
    isHeld: () => told.isHeld,
    onTick: (left_s) => told.ticks.push(left_s),
    onEnd: () => (told.ends += 1),
    now: () => Date.now(),
  });
  return { countdown, told };
}

test("countdown ends once after its seconds", (t) => {
  const { countdown, told } = made(t);
  countdown.start();
  mock.timers.tick(7900);
  assert.equal(told.ends, 0);
  mock.timers.tick(5000);

  assert.equal(told.ends, 1);
  assert.deepEqual([told.ticks[0], told.ticks.at(-1)], [8, 0]);
  assert.equal(countdown.isRunning, false);
});

test("stopped countdown does not end", (t) => {
  const { countdown, told } = made(t);
  countdown.start();
  mock.timers.tick(4000);
  countdown.stop();
  mock.timers.tick(60_000);

  assert.equal(told.ends, 0);
});

test("held countdown stands still and goes on afterwards", (t) => {
  const { countdown, told } = made(t);
  countdown.start();
  mock.timers.tick(4000);
  told.isHeld = true;
  mock.timers.tick(60_000);
  assert.equal(told.ticks.at(-1), 4);
  told.isHeld = false;
  mock.timers.tick(3800);
  assert.equal(told.ends, 0);
  mock.timers.tick(400);

  assert.equal(told.ends, 1);
});

test("second start counts from the beginning", (t) => {
  const { countdown, told } = made(t);
  countdown.start();
  mock.timers.tick(6000);
  countdown.start();
  mock.timers.tick(6000);

  assert.equal(told.ends, 0);
});
