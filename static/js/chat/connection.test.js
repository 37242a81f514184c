import assert from "node:assert/strict";
import { test } from "node:test";

import { Connection } from "#chat/connection";

/** A connection over sockets and timers that we hold in our hands. */
function begin(options = {}) {
  const seen = { urls: [], waits: [], opens: [], ends: [], frames: [], sent: [] };
  const hands = { now: 0, next: null, socket: null };
  class Socket extends EventTarget {
    constructor(url) {
      super();
      this.readyState = 0;
      seen.urls.push(url);
      hands.socket = this;
    }

    send(text) {
      seen.sent.push(JSON.parse(text));
    }

    close() {
      this.fall(1000);
    }

    rise() {
      this.readyState = 1;
      this.dispatchEvent(new Event("open"));
    }

    say(frame) {
      this.dispatchEvent(Object.assign(new Event("message"), { data: JSON.stringify(frame) }));
    }

    fall(code) {
      this.readyState = 3;
      this.dispatchEvent(Object.assign(new Event("close"), { code }));
    }
  }
  const tickets = ["t2", "t3", "t4", "t5"];
  const connection = new Connection({
    url: "ws://site/room/",
    ticket: "t1",
    freshTicket: async () => tickets.shift(),
    onFrame: (frame) => seen.frames.push(frame),
    onOpen: (isOpen) => seen.opens.push(isOpen),
    onEnd: (why) => seen.ends.push(why),
    Socket,
    now: () => hands.now,
    later: (act, ms) => {
      seen.waits.push(ms);
      hands.next = act;
    },
    never: () => (hands.next = null),
    random: () => 1,
    ...options,
  });
  return { connection, seen, hands };
}

test("the page's ticket opens the first connection, and a fresh one every other", async () => {
  const { connection, seen, hands } = begin();
  await connection.open();
  hands.socket.rise();
  hands.now = 60_000;
  hands.socket.fall(1006);
  await hands.next();
  assert.deepEqual(seen.urls, ["ws://site/room/?ticket=t1", "ws://site/room/?ticket=t2"]);
  assert.deepEqual(seen.waits, [500]);
});

test("whoever is signed out reads without a ticket", async () => {
  const { connection, seen } = begin({ ticket: "", freshTicket: null });
  await connection.open();
  assert.deepEqual(seen.urls, ["ws://site/room/"]);
});

test("pauses grow while connections do not last", async () => {
  const { connection, seen, hands } = begin();
  await connection.open();
  for (const code of [1006, 4001, 1012]) {
    hands.socket.rise();
    hands.socket.fall(code);
    await hands.next();
  }
  assert.deepEqual(seen.waits, [500, 1000, 2000]);
});

test("a room that is not there is not asked for again", async () => {
  const { connection, seen, hands } = begin();
  await connection.open();
  hands.socket.fall(4004);
  assert.deepEqual([seen.ends, seen.waits], [["gone"], []]);
});

test("whoever is banned goes on reading, without a ticket", async () => {
  const { connection, seen, hands } = begin();
  await connection.open();
  hands.socket.fall(4003);
  await hands.next();
  assert.deepEqual(seen.ends, ["banned"]);
  assert.equal(seen.urls.at(-1), "ws://site/room/");
  hands.socket.fall(4003);
  assert.deepEqual(seen.waits.length, 1);
});

test("a ticket that is refused because one signed out leads to reading", async () => {
  const refuse = async () => Promise.reject(Object.assign(new Error("who?"), { status: 401 }));
  const { connection, seen, hands } = begin({ ticket: "", freshTicket: refuse });
  await connection.open();
  await hands.next();
  assert.deepEqual(seen.urls, ["ws://site/room/"]);
});

test("nothing is sent into a socket that is not open", async () => {
  const { connection, seen, hands } = begin();
  assert.equal(connection.send({ type: "say" }), false);
  await connection.open();
  hands.socket.rise();
  assert.equal(connection.send({ type: "say" }), true);
  assert.deepEqual(seen.sent, [{ type: "say" }]);
});

test("closed is closed", async () => {
  const { connection, seen, hands } = begin();
  await connection.open();
  hands.socket.rise();
  connection.close();
  assert.deepEqual([seen.waits, seen.opens], [[], [true, false]]);
});
