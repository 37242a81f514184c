import assert from "node:assert/strict";
import { test } from "node:test";

import { Heartbeat } from "#player/heartbeat";

/** A heartbeat under a clock that we turn. */
function begin() {
  const sent = [];
  const time = { now: 0 };
  const send = async (report) => {
    sent.push(report);
    return { session: "signed" };
  };
  const heart = new Heartbeat({ send, now: () => time.now });
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

test("short video that was watched is reported at its end, a glance is not", async () => {
  const watched = begin();
  await watched.play(6);
  watched.heart.finish(9, 9);
  assert.equal(watched.sent.length, 1);

  const glanced = begin();
  await glanced.play(2);
  glanced.heart.finish(2, 9);
  assert.equal(glanced.sent.length, 0);
});

test("report that fails stops nothing", async () => {
  const heart = new Heartbeat({ send: async () => Promise.reject(new Error("offline")), now: () => 0 });
  await heart.report(10);
  assert.equal(heart.session, "");
});
