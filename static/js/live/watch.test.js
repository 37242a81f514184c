import assert from "node:assert/strict";
import { test } from "node:test";

import { StreamWatch } from "#live/watch";

/** A watch whose timers we turn by hand. */
function begin(ask) {
  const seen = { states: [], gone: 0, waits: [] };
  let next = null;
  const watch = new StreamWatch({
    ask,
    onState: (state) => seen.states.push(state.status),
    onGone: () => (seen.gone += 1),
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

test("where no socket tells, the API is asked with growing pauses", async () => {
  const { seen, turn } = begin(async () => ({ status: "offline" }));
  for (let i = 0; i < 5; i += 1) await turn();
  assert.deepEqual(seen.waits, [4000, 8000, 16_000, 30_000, 30_000, 30_000]);
  assert.equal(seen.states.length, 5);
});

test("where the socket tells, once a minute is enough", async () => {
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

test("what hurries is not put off by the socket that told of it", async () => {
  const { watch, seen, turn } = begin(async () => ({ status: "live" }));
  watch.hurry();
  watch.setHeard(true);
  await turn();
  assert.deepEqual(seen.waits, [4000, 1000, 60_000]);
});

test("what happens while an answer is on its way is asked for again", async () => {
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

test("a server that does not answer is asked again", async () => {
  const { seen, turn } = begin(async () => Promise.reject(new Error("network")));
  await turn();
  assert.deepEqual([seen.states, seen.gone, seen.waits.length], [[], 0, 2]);
});

test("a stream that is no longer for us is not asked for again", async () => {
  const { seen, turn } = begin(async () => Promise.reject(Object.assign(new Error("gone"), { status: 404 })));
  await turn();
  assert.deepEqual([seen.gone, seen.waits.length], [1, 1]);
});
