import assert from "node:assert/strict";
import { test } from "node:test";

import { Room } from "#chat/room";

const message = (seq) => ({ type: "message", id: `m${seq}`, seq, user: { username: "lumi", display_name: "Lumi", badges: [] }, text: String(seq), sent_at: "" });
const hello = (seq, history = []) => ({ type: "hello", room: "lumi", seq, mode: { slow_s: 0 }, you: null, history });
const types = (changes) => changes.map((change) => change.message?.id ?? change.type);

test("room begins with its history, then goes on by ticks", () => {
  const room = new Room();
  assert.deepEqual(types(room.apply(hello(2, [message(1), message(2)]))), ["you", "mode", "reset", "m1", "m2"]);
  assert.deepEqual(types(room.apply({ type: "tick", seq: 4, events: [message(3), message(4)] })), ["m3", "m4"]);
  assert.equal(room.seq, 4);
});

test("only messages of a tick are new", () => {
  const room = new Room();
  const old = room.apply(hello(1, [message(1)])).find((change) => change.type === "message");
  const [now] = room.apply({ type: "tick", seq: 2, events: [message(2)] });
  assert.deepEqual([old.isNew, now.isNew], [false, true]);
});

test("message that comes twice is shown once", () => {
  const room = new Room();
  room.apply(hello(1, [message(1)]));
  assert.deepEqual(types(room.apply({ type: "tick", seq: 2, events: [message(1), message(2)] })), ["m2"]);
});

test("reconnected room asks for missed events and keeps its messages", () => {
  const room = new Room();
  room.apply(hello(2, [message(1), message(2)]));
  room.reconnect();
  const changes = room.apply(hello(5, [message(4), message(5)]));
  assert.deepEqual(changes.at(-1), { type: "resume", after: 2 });
  assert.deepEqual(types(room.apply({ type: "tick", seq: 5, events: [message(3), message(4), message(5)] })), ["m3", "m4", "m5"]);
});

test("where nothing was missed there is nothing to ask", () => {
  const room = new Room();
  room.apply(hello(2, [message(1), message(2)]));
  room.reconnect();
  assert.deepEqual(types(room.apply(hello(2, [message(1), message(2)]))), ["you", "mode"]);
});

test("too much missed is a new beginning", () => {
  const room = new Room();
  room.apply(hello(2, [message(1)]));
  room.reconnect();
  room.apply(hello(900, [message(899), message(900)]));
  assert.deepEqual(types(room.apply(hello(900, [message(899), message(900)]))), ["you", "mode", "reset", "m899", "m900"]);
});

test("room that lost its memory begins anew", () => {
  const room = new Room();
  room.apply(hello(50, [message(50)]));
  room.reconnect();
  assert.deepEqual(types(room.apply(hello(3, [message(3)]))), ["you", "mode", "reset", "m3"]);
});

test("change of mode changes only its own members", () => {
  const room = new Room();
  room.apply(hello(0));
  const [change] = room.apply({ type: "tick", seq: 1, events: [{ type: "mode", followers_only: true, seq: 1 }] });
  assert.deepEqual(change.mode, { slow_s: 0, followers_only: true });
});

test("moderation, counts and errors pass through as they are", () => {
  const room = new Room();
  room.apply(hello(0));
  const events = [{ type: "message_deleted", id: "m1" }, { type: "user_cleared", username: "lumi" }, { type: "viewers", count: 3 }];
  assert.deepEqual(room.apply({ type: "tick", seq: 3, events }), events);
  assert.deepEqual(room.apply({ type: "tick", seq: 9, events: [], skipped: 4 }), [{ type: "skipped", count: 4 }]);
  const error = { type: "error", code: "slow_mode", detail: "Wait.", nonce: "n", retry_after_s: 3 };
  assert.deepEqual(room.apply(error), [error]);
  assert.deepEqual(room.apply({ type: "something new" }), []);
});

test("hello says whether it is live, as it may have begun before we listened", () => {
  const room = new Room();
  const changes = room.apply({ ...hello(1), status: "live" });
  assert.deepEqual(changes.find((change) => change.type === "broadcast"), { type: "broadcast", status: "live" });
});

test("hello carries title and category, which may have changed since the page was loaded", () => {
  const changes = new Room().apply({ ...hello(1), status: "live", title: "", category: "music" });
  assert.deepEqual(changes.find(({ type }) => type === "stream"), { type: "stream", title: "", category: "music" });
});

test("hello carries the number of viewers, whose questions are spread", () => {
  const changes = new Room().apply({ type: "hello", seq: 1, status: "live", viewer_count: 1000, history: [] });
  assert.deepEqual(
    changes.filter(({ type }) => type === "viewers" || type === "broadcast"),
    [{ type: "viewers", count: 1000 }, { type: "broadcast", status: "live" }],
  );
});
