import assert from "node:assert/strict";
import { test } from "node:test";

import { Lanes } from "#player/lanes";

const MESSAGE = { width: 200, room: 800, flight_ms: 8000 };

function at(count) {
  const time = { now: 0 };
  return { time, lanes: new Lanes({ count, now: () => time.now }) };
}

test("messages of one moment take lanes from above, and the rest is left out", () => {
  const { lanes } = at(2);
  assert.deepEqual([0, 1, 2].map(() => lanes.take(MESSAGE)), [0, 1, -1]);
});

test("lane is free once the message before has entered wholly", () => {
  const { lanes, time } = at(1);
  lanes.take(MESSAGE);
  time.now = 1700; // 212 px at 0.125 px a ms: not yet beyond its gap
  assert.equal(lanes.take(MESSAGE), -1);
  time.now = 1800;
  assert.equal(lanes.take(MESSAGE), 0);
});

test("longer and faster message waits until it cannot catch up", () => {
  const { lanes, time } = at(1);
  lanes.take(MESSAGE);
  time.now = 1800;
  const longer = { ...MESSAGE, width: 1600 };
  assert.equal(lanes.take(longer), -1);
  time.now = 5400;
  assert.equal(lanes.take(longer), 0);
});

test("smaller layer has fewer lanes and keeps its messages", () => {
  const { lanes } = at(3);
  lanes.take(MESSAGE);
  lanes.resize(1);
  assert.equal(lanes.take(MESSAGE), -1);
});

test("lane is not empty until its message is gone", () => {
  const time = { now: 0 };
  const lanes = new Lanes({ count: 2, now: () => time.now });
  lanes.take({ width: 100, room: 1000, flight_ms: 8000 });
  assert.deepEqual([lanes.isEmpty(0), lanes.isEmpty(1)], [false, true]);
  time.now = 8000;
  assert.equal(lanes.isEmpty(0), true);
});

test("lane with a standing message is passed over by flying ones", () => {
  const lanes = new Lanes({ count: 2, now: () => 0 });
  lanes.hold(0, 4500);
  assert.equal(lanes.take({ width: 100, room: 1000, flight_ms: 8000 }), 1);
});

test("row below the lanes is always empty", () => {
  const lanes = new Lanes({ count: 2, now: () => 0 });
  lanes.hold(5, 4500);
  assert.equal(lanes.isEmpty(5), true);
});
