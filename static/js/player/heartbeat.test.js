import assert from "node:assert/strict";
import { test } from "node:test";

import { Heartbeat } from "#player/heartbeat";

/** A heartbeat under a clock that we turn. */
function begin(options = {}) {
  const sent = [];
  const time = { now: 0 };
  const send = async (report) => {
    sent.push(report);
    return { session: "signed" };
  };
  const heart = new Heartbeat({ send, now: () => time.now, ...options });
  const play = async (seconds) => {
    for (let i = 0; i <= seconds * 4; i += 1) {
      heart.tick(time.now);
      time.now += 0.25;
    }
    await Promise.resolve();
  };
  return { sent, time, heart, play };
}

test("ten seconds of playing are one report, and the session comes along", async () => {
  const { sent, play } = begin();
  await play(11);
  await play(11);
  assert.equal(sent.length, 2);
  assert.equal(sent[0].session, undefined);
  assert.equal(sent[1].session, "signed");
});

test("pause is not watched", async () => {
  const { sent, heart, time, play } = begin();
  await play(6);
  heart.rest();
  time.now += 3600;
  await play(3);
  assert.equal(sent.length, 0);
});

test("gap counts no longer than a tick may take", async () => {
  const { sent, heart, time } = begin();
  for (let i = 0; i < 6; i += 1) {
    heart.tick(i);
    time.now += 60;
  }
  assert.equal(sent.length, 0);
});

test("first report comes early, and the last one at the end of a short video", async () => {
  const { sent, heart, play } = begin({ first_s: 1 });
  await play(6);
  assert.deepEqual(sent, [{ position_s: 1 }]);
  heart.finish(6);
  assert.deepEqual(sent.at(-1), { position_s: 6, session: "signed" });
});

test("glance that began no session is not reported", async () => {
  const { sent, heart, play } = begin({ first_s: 1 });
  await play(0.5);
  heart.finish(0.5);
  assert.equal(sent.length, 0);
});

test("report that fails stops nothing", async () => {
  const heart = new Heartbeat({ send: async () => Promise.reject(new Error("offline")), now: () => 0 });
  await heart.report(10);
  assert.equal(heart.session, "");
});
