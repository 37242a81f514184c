import assert from "node:assert/strict";
import { test } from "node:test";

import { Buckets } from "#comments/buckets";

const one = (id, offset_ms) => ({ id, offset_ms, text: id, mode: "scroll", color: "#ffffff" });

function reading(answers) {
  const asked = [];
  const time = { now: 0 };
  const read = async (from_s, to_s) => {
    asked.push([from_s, to_s]);
    const answer = answers.shift();
    if (answer instanceof Error) throw answer;
    return answer ?? [];
  };
  return { asked, time, buckets: new Buckets({ size_s: 30, read, now: () => time.now }) };
}

test("bucket that plays is read once, and the next one shortly before its time", async () => {
  const { asked, buckets } = reading([]);
  await buckets.want(31);
  await buckets.want(45);
  await buckets.want(51);
  await buckets.want(59);
  assert.deepEqual(asked, [[30, 60], [60, 90]]);
});

test("bucket that plays is read again for new messages", async () => {
  const { asked, time, buckets } = reading([[], [one("new", 9000)]]);
  await buckets.want(1);
  time.now = 7999;
  await buckets.want(8);
  assert.equal(asked.length, 1);
  time.now = 8000;
  await buckets.want(8);
  assert.deepEqual(buckets.due(8, 10).map(({ id }) => id), ["new"]);
});

test("each message comes up once, in order, across a border", async () => {
  const { buckets } = reading([[one("b", 29_900), one("a", 29_800)], [one("c", 30_000), one("d", 30_100)]]);
  await buckets.want(29);
  const due = (from, to) => buckets.due(from, to).map(({ id }) => id);
  assert.deepEqual(due(29.8, 30), ["b", "c"]);
  assert.deepEqual(due(30, 30.2), ["d"]);
  assert.deepEqual(due(29.5, 29.8), ["a"]);
});

test("one's own stays until the server says it too, and never twice", async () => {
  const { time, buckets } = reading([[], [], [one("mine", 1000)]]);
  await buckets.want(0);
  buckets.add(one("mine", 1000));
  const count = () => buckets.due(0, 2).length;
  assert.equal(count(), 1);
  for (const now of [8000, 16_000]) {
    time.now = now;
    await buckets.want(1);
    assert.equal(count(), 1);
  }
});

test("failure is tried again in its turn and loses nothing", async () => {
  const { asked, time, buckets } = reading([[one("a", 1000)], new Error("offline"), [one("b", 2000)]]);
  await buckets.want(0);
  time.now = 8000;
  await buckets.want(0);
  await buckets.want(0);
  assert.equal(asked.length, 2);
  assert.equal(buckets.due(0, 3).length, 1);
  time.now = 16_000;
  await buckets.want(0);
  assert.deepEqual(buckets.due(0, 3).map(({ id }) => id), ["b"]);
});

test("bucket on its way is not there yet, and one that could not be read is waited for no longer", async () => {
  const { buckets } = reading([[], new Error("offline")]);
  const reads = buckets.want(0);
  assert.equal(buckets.has(0), false);
  await reads;
  assert.equal(buckets.has(0), true);
  await buckets.want(31);
  assert.equal(buckets.has(31), true);
});

test("only a few buckets are kept", async () => {
  const { buckets } = reading([]);
  for (let number = 0; number < 40; number += 1) await buckets.want(number * 30 + 1);
  assert.equal(buckets.known.size, 8);
});

test("removed message stays removed after another reading, until it is restored", async () => {
  const { time, buckets } = reading([[one("rude", 9000)], [one("rude", 9000)], [one("rude", 9000)]]);
  const due = () => buckets.due(8, 10).map(({ id }) => id);
  await buckets.want(1);
  buckets.remove("rude");
  assert.deepEqual(due(), []);
  time.now = 8000;
  await buckets.want(8);
  assert.deepEqual(due(), []);
  buckets.restore("rude");
  buckets.refresh();
  await buckets.want(8);
  assert.deepEqual(due(), ["rude"]);
});

test("restored message flies without another reading", async () => {
  const buckets = new Buckets({ size_s: 10, read: async () => [{ id: "rude", offset_ms: 3000, text: "rude" }] });
  await buckets.want(0);
  buckets.remove("rude");
  assert.deepEqual(buckets.due(2, 4), []);
  buckets.restore("rude");
  assert.deepEqual(buckets.due(2, 4).map(({ id }) => id), ["rude"]);
});
