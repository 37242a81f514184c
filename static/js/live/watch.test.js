import assert from "node:assert/strict";
import { test } from "node:test";

import { StreamWatch } from "#live/watch";

/** A watch whose timers we turn by hand. */
function begin(ask) {
  const seen = { states: [], gone: 0, back: 0, waits: [] };
  let next = null;
  const watch = new StreamWatch({
    ask,
    onState: (state) => seen.states.push(state.status),
    onGone: () => (seen.gone += 1),
    onBack: () => (seen.back += 1),
    later: (act, ms) => {
      seen.waits.push(ms);
      next = act;
      return 1;
    },
    never: () => (next = null),
    random: () => 1,
  });
  watch.start();
  return { watch, seen, turn: () => next() };
}

test("without a socket, the API is asked with growing pauses", async () => {
  const { seen, turn } = begin(async () => ({ status: "offline" }));
  for (let i = 0; i < 5; i += 1) await turn();
  assert.deepEqual(seen.waits, [4000, 8000, 16_000, 30_000, 30_000, 30_000]);
  assert.equal(seen.states.length, 5);
});

test("with a socket, once a minute is enough", async () => {
  const { watch, seen, turn } = begin(async () => ({ status: "live" }));
  watch.setHeard(true);
  await turn();
  assert.deepEqual(seen.waits, [4000, 60_000, 60_000]);
});

test("many reasons to look are one question", async () => {
  const { watch, seen, turn } = begin(async () => ({ status: "live" }));
  watch.hurry();
  watch.hurry();
  await turn();
  assert.deepEqual(seen.waits, [4000, 1000, 8000]);
  assert.deepEqual(seen.states, ["live"]);
});

test("hurried question is not delayed by the socket that caused it", async () => {
  const { watch, seen, turn } = begin(async () => ({ status: "live" }));
  watch.hurry();
  watch.setHeard(true);
  await turn();
  assert.deepEqual(seen.waits, [4000, 1000, 60_000]);
});

test("state that the socket sent is not asked for", async () => {
  const { watch, seen } = begin(async () => ({ status: "offline" }));
  watch.setHeard(true);
  watch.hurry();
  watch.take({ status: "live" });
  assert.deepEqual([seen.states, seen.waits.at(-1)], [["live"], 60_000]);
});

test("response that is older than the news of the socket is dropped", async () => {
  let answer;
  const { watch, seen, turn } = begin(() => new Promise((resolve) => (answer = resolve)));
  const asked = turn();
  watch.take({ status: "live" });
  answer({ status: "offline" });
  await asked;
  assert.deepEqual(seen.states, ["live"]);
});

test("large audience spreads its questions", async () => {
  const { watch, seen, turn } = begin(async () => ({ status: "live" }));
  watch.setHeard(true);
  watch.audience = 1000;
  watch.hurry();
  await turn();
  watch.audience = 1_000_000;
  watch.hurry();
  await turn();
  assert.deepEqual(seen.waits.slice(2), [25_000, 300_000, 60_000, 600_000]);
});

test("event during a response is asked for again", async () => {
  let answer;
  const { watch, seen, turn } = begin(() => new Promise((resolve) => (answer = resolve)));
  watch.setHeard(true);
  const asked = turn();
  watch.hurry();
  watch.hurry();
  answer({ status: "offline" });
  await asked;
  assert.deepEqual(seen.waits, [4000, 60_000, 1000]);
});

test("server that does not answer is asked again", async () => {
  const { seen, turn } = begin(async () => Promise.reject(new Error("network")));
  await turn();
  assert.deepEqual([seen.states, seen.gone, seen.waits.length], [[], 0, 2]);
});

test("stream that became private is asked for until it is open again", async () => {
  const answers = [404, 404, 200];
  const { seen, turn } = begin(async () => {
    const status = answers.shift();
    if (status !== 200) throw Object.assign(new Error("gone"), { status });
    return { status: "live" };
  });
  await turn();
  await turn();
  assert.deepEqual([seen.gone, seen.back], [1, 0]);
  await turn();
  assert.deepEqual([seen.gone, seen.back, seen.states], [1, 1, []]);
});

test("stream that opens again is asked for as soon as the socket says so", async () => {
  const answers = [404, 200];
  const { watch, seen, turn } = begin(async () => {
    const status = answers.shift();
    if (status !== 200) throw Object.assign(new Error("gone"), { status });
    return { status: "live" };
  });
  watch.setHeard(true);
  await turn();
  watch.take({ status: "live" });
  assert.deepEqual([seen.gone, seen.states, seen.waits.at(-1)], [1, [], 1000]);
  await turn();
  assert.equal(seen.back, 1);
});

test("refusal older than the socket's news closes nothing", async () => {
  let refuse;
  const { watch, seen, turn } = begin(() => new Promise((_resolve, reject) => (refuse = reject)));
  watch.setHeard(true);
  const asked = turn();
  watch.take({ status: "live" });
  refuse(Object.assign(new Error("gone"), { status: 404 }));
  await asked;
  assert.deepEqual([seen.gone, seen.states, seen.waits.at(-1)], [0, ["live"], 1000]);
});
