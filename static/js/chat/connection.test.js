import assert from "node:assert/strict";
import { test } from "node:test";

import { Connection } from "#chat/connection";

/** A connection over sockets and timers that we hold in our hands. */
function begin(options = {}) {
  const seen = { urls: [], waits: [], opens: [], ends: [], frames: [], sent: [], suspects: [] };
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

    receive(frame) {
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
    freshTicket: async (isSuspect) => {
      seen.suspects.push(isSuspect);
      return tickets.shift();
    },
    onFrame: (frame) => seen.frames.push(frame),
    onOpen: (isOpen) => seen.opens.push(isOpen),
    onEnd: (why) => seen.ends.push(why),
    Socket,
    now: () => hands.now,
    later: (act, ms) => {
      if (act.name === "look") {
        hands.look = act;
        return "look";
      }
      seen.waits.push(ms);
      hands.next = act;
      return "next";
    },
    never: (timer) => timer && (hands[timer] = null),
    random: () => 1,
    ...options,
  });
  return { connection, seen, hands };
}

test("page's ticket opens the first connection, and a fresh one every other", async () => {
  const { connection, seen, hands } = begin();
  await connection.open();
  hands.socket.rise();
  hands.now = 60_000;
  hands.socket.fall(1006);
  await hands.next();
  assert.deepEqual(seen.urls, ["ws://site/room/?ticket=t1", "ws://site/room/?ticket=t2"]);
  assert.deepEqual(seen.waits, [500]);
});

test("reader who is signed out connects without a ticket", async () => {
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

test("room that is not there is not asked for again", async () => {
  const { connection, seen, hands } = begin();
  await connection.open();
  hands.socket.fall(4004);
  assert.deepEqual([seen.ends, seen.waits], [["gone"], []]);
});

test("banned person goes on reading without a ticket", async () => {
  const { connection, seen, hands } = begin();
  await connection.open();
  hands.socket.fall(4003);
  await hands.next();
  assert.deepEqual(seen.ends, ["banned"]);
  assert.equal(seen.urls.at(-1), "ws://site/room/");
  hands.socket.fall(4003);
  assert.deepEqual(seen.waits.length, 1);
});

test("person whose ban was lifted comes back with a ticket at once", async () => {
  const { connection, seen, hands } = begin();
  await connection.open();
  hands.socket.fall(4003);
  await hands.next();
  hands.socket.rise();
  connection.readmit();
  await Promise.resolve();
  await Promise.resolve();
  assert.deepEqual(seen.urls, ["ws://site/room/?ticket=t1", "ws://site/room/", "ws://site/room/?ticket=t2"]);
  hands.socket.fall(4003); // a server that has not heard of it yet
  await hands.next();
  hands.socket.rise();
  assert.equal(seen.urls.at(-1), "ws://site/room/?ticket=t3");
  assert.deepEqual(seen.ends, ["banned"]);
});

test("person who was not banned keeps the socket when they may write again", async () => {
  const { connection, seen, hands } = begin();
  await connection.open();
  hands.socket.rise();
  connection.readmit();
  assert.deepEqual([seen.urls.length, connection.isOpen], [1, true]);
});

test("ticket that is refused because one signed out leads to reading", async () => {
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

test("socket on which nothing is heard is given up, and another one is opened", async () => {
  const { connection, seen, hands } = begin();
  await connection.open();
  hands.socket.rise();
  const dead = hands.socket;
  dead.close = () => {}; // its close reaches nobody
  hands.now = 20_000;
  dead.receive({ type: "tick", seq: 1, events: [] });
  hands.now = 20_000;
  hands.look();
  assert.deepEqual(seen.opens, [true]);
  hands.now = 45_000;
  hands.look();
  assert.deepEqual(seen.opens, [true, false]);
  await hands.next();
  hands.socket.rise();
  dead.receive({ type: "tick", seq: 2, events: [] });
  dead.fall(1006);
  assert.deepEqual([seen.opens, seen.frames.length, seen.urls.length], [[true, false, true], 1, 2]);
  // Other connections of the browser may be dead as well, until the server has answered.
  hands.socket.fall(1006);
  await hands.next();
  assert.deepEqual(seen.suspects, [true, false]);
});

test("after an answer of the server, connections are suspect no longer", async () => {
  const busy = Object.assign(new Error("busy"), { status: 503 });
  for (const first of [new Error("timeout"), busy, null]) {
    const suspects = [];
    const answers = [first, null];
    const freshTicket = async (/** @type {boolean} */ isSuspect) => {
      suspects.push(isSuspect);
      const refusal = answers.shift();
      if (refusal) throw refusal;
      return "t";
    };
    const { connection, hands } = begin({ freshTicket });
    await connection.open();
    hands.socket.rise();
    hands.now = 20_000;
    hands.look();
    await hands.next();
    if (!first) hands.socket.fall(1006); // it never opened: the server is not up yet
    await hands.next();
    // A request that got no answer leaves the suspicion.
    assert.deepEqual(suspects, [true, first !== null && !("status" in first)]);
  }
});

test("socket that never opens is given up, and does not make connections suspect", async () => {
  const { connection, seen, hands } = begin();
  await connection.open();
  hands.socket.close = () => {};
  hands.now = 20_000;
  hands.look();
  await hands.next();
  assert.equal(seen.urls.length, 2);
  assert.deepEqual(seen.suspects, [false]);
});

test("closed is closed", async () => {
  const { connection, seen, hands } = begin();
  await connection.open();
  hands.socket.rise();
  connection.close();
  assert.deepEqual([seen.waits, seen.opens], [[], [true, false]]);
});
