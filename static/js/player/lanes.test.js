import assert from "node:assert/strict";
import { test } from "node:test";

import { Lanes } from "#player/lanes";

const MESSAGE = { width: 200, room: 800, flight_ms: 8000 };

function at(count) {
  const time = { now: 0 };
  return { time, lanes: new Lanes({ count, now: () => time.now }) };
}

test("messages of one moment take lanes from above, and what does not fit is left out", () => {
  const { lanes } = at(2);
  assert.deepEqual([0, 1, 2].map(() => lanes.take(MESSAGE)), [0, 1, -1]);
});

test("a lane is free once the message before has entered wholly", () => {
  const { lanes, time } = at(1);
  lanes.take(MESSAGE);
  time.now = 1700; // 212 px at 0.125 px a ms: not yet beyond its gap
  assert.equal(lanes.take(MESSAGE), -1);
  time.now = 1800;
  assert.equal(lanes.take(MESSAGE), 0);
});

test("a longer and faster message waits until it cannot catch up", () => {
  const { lanes, time } = at(1);
  lanes.take(MESSAGE);
  time.now = 1800;
  const longer = { ...MESSAGE, width: 1600 };
  assert.equal(lanes.take(longer), -1);
  time.now = 5400;
  assert.equal(lanes.take(longer), 0);
});

test("fewer lanes after a change of size, and what flies is remembered", () => {
  const { lanes } = at(3);
  lanes.take(MESSAGE);
  lanes.resize(1);
  assert.equal(lanes.take(MESSAGE), -1);
});
