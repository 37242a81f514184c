import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { install, serve, settled } from "#testing/dom";

install();

/** A socket that plays the next of ``plans``. */
class FakeSocket extends EventTarget {
  /** @type {((socket: FakeSocket) => void)[]} */
  static plans = [];
  static count = 0;
  isClosed = false;

  constructor(url) {
    super();
    this.url = url;
    FakeSocket.count += 1;
    queueMicrotask(() => (FakeSocket.plans.shift() ?? ((socket) => socket.close(1006)))(this));
  }

  receive(state) {
    this.dispatchEvent(Object.assign(new Event("message"), { data: JSON.stringify({ type: "progress", ...state }) }));
  }

  close(code = 1000) {
    if (this.isClosed) return;
    this.isClosed = true;
    this.dispatchEvent(Object.assign(new Event("close"), { code }));
  }
}
globalThis.WebSocket = /** @type {any} */ (FakeSocket);
const { follow } = await import("#lib/progress");

const WORKING = { status: "processing", progress_percent: 30, is_playable: false, failure: null };
const READY = { status: "ready", progress_percent: 100, is_playable: true, failure: null };

beforeEach(() => Object.assign(FakeSocket, { plans: [], count: 0 }));

/** Follow a video without pauses, and return the states that were heard. */
async function followed(context, plans, { stopAfter = Infinity } = {}) {
  FakeSocket.plans = plans;
  const { setTimeout: later } = globalThis;
  context.mock.method(globalThis, "setTimeout", (act, ms) => (ms > 20_000 ? 0 : later(act)));
  const states = [];
  const stop = new AbortController();
  const isEnough = () => states.length >= stopAfter || FakeSocket.count > 10;
  const onState = (state) => states.push([state.status, state.progress_percent]) && isEnough() && stop.abort();
  await follow("v1", onState, stop.signal);
  return states;
}

test("states are passed on until the video is settled", async (context) => {
  const states = await followed(context, [(socket) => {
    socket.receive(WORKING);
    socket.receive({ ...WORKING, progress_percent: 60 });
    socket.receive(READY);
  }]);

  assert.deepEqual(states, [["processing", 30], ["processing", 60], ["ready", 100]]);
  assert.equal(FakeSocket.count, 1);
});

test("failed video is settled", async (context) => {
  const states = await followed(context, [(socket) => socket.receive({ ...WORKING, status: "failed" })]);

  assert.deepEqual(states, [["failed", 30]]);
});

test("other messages of the socket are no states", async (context) => {
  const states = await followed(context, [(socket) => {
    socket.receive({ type: "alive" });
    socket.receive(READY);
  }]);

  assert.deepEqual(states, [["ready", 100]]);
});

test("broken socket is opened again", async (context) => {
  const states = await followed(context, [
    (socket) => {
      socket.receive(WORKING);
      socket.close(1012);
    },
    (socket) => socket.receive(READY),
  ]);

  assert.deepEqual(states, [["processing", 30], ["ready", 100]]);
});

test("deleted video ends it", async (context) => {
  assert.deepEqual(await followed(context, [(socket) => socket.close(4004)]), []);
  assert.equal(FakeSocket.count, 1);
});

test("API is asked where three sockets did not get through", async (context) => {
  const answers = [WORKING, { ...WORKING, progress_percent: 80 }, READY];
  const calls = serve({ "GET videos/v1/": () => answers.shift() });

  const states = await followed(context, []);

  assert.equal(FakeSocket.count, 3);
  assert.deepEqual(states, [["processing", 30], ["processing", 80], ["ready", 100]]);
  assert.equal(calls.length, 3);
});

test("API that fails is asked again, and one that knows no such video is not", async (context) => {
  const answers = [{ status: 503 }, WORKING, { status: 404 }];
  const calls = serve({ "GET videos/v1/": () => answers.shift() });

  const states = await followed(context, []);

  assert.deepEqual(states, [["processing", 30]]);
  assert.equal(calls.length, 3);
});

test("nothing is asked after the page stops following", async (context) => {
  const states = await followed(context, [(socket) => socket.receive(WORKING)], { stopAfter: 1 });
  await settled();

  assert.deepEqual(states, [["processing", 30]]);
  assert.equal(FakeSocket.count, 1);
});
