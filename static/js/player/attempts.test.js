import assert from "node:assert/strict";
import { test } from "node:test";

import { Attempts } from "#player/attempts";

test("third attempt within ten seconds is refused, and a later one is not", () => {
  const time = { now: 0 };
  const attempts = new Attempts({ most: 2, within_ms: 10_000, now: () => time.now });
  const outcomes = [0, 4000, 9999, 10_000, 12_000, 14_000].map((now) => {
    time.now = now;
    return attempts.allow();
  });
  assert.deepEqual(outcomes, [true, true, false, true, false, true]);
});
