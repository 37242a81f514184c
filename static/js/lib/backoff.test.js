import assert from "node:assert/strict";
import { test } from "node:test";

import { backoff, sleep } from "#lib/backoff";

test("pauses double up to a bound, half of them by chance", () => {
  const longest = [0, 1, 2, 20].map((attempt) => backoff(attempt, { random: () => 1 }));
  const shortest = [0, 1, 2, 20].map((attempt) => backoff(attempt, { random: () => 0 }));
  assert.deepEqual(longest, [500, 1000, 2000, 30_000]);
  assert.deepEqual(shortest, [250, 500, 1000, 15_000]);
});

test("sleep ends when it is aborted", async () => {
  const stop = new AbortController();
  const sleeping = sleep(60_000, stop.signal);
  stop.abort(new Error("enough"));
  await assert.rejects(sleeping, /enough/);
});
