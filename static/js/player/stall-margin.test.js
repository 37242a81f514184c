import assert from "node:assert/strict";
import { test } from "node:test";

import { StallMargin } from "#player/stall-margin";

/** A margin with a clock that is set by hand. */
function begin() {
  const clock = { ms: 0 };
  const margin = new StallMargin({ step_s: 0.25, most_s: 1, now: () => clock.ms });
  /** Play for so many seconds, asked five times a second as the engine does. */
  const play = (seconds) => {
    for (const end = clock.ms + seconds * 1000; clock.ms < end; clock.ms += 200) margin.calm();
    margin.calm();
  };
  return { margin, play };
}

test("each stall adds a step, up to the most", () => {
  const { margin } = begin();
  const seen = Array.from({ length: 6 }, () => (margin.stalled(), margin.seconds));
  assert.deepEqual(seen, [0.25, 0.5, 0.75, 1, 1, 1]);
});

test("without stalls the margin shrinks step by step to nothing", () => {
  const { margin, play } = begin();
  for (let i = 0; i < 3; i += 1) margin.stalled();
  const seen = Array.from({ length: 4 }, () => (play(8), margin.seconds));
  assert.deepEqual(seen, [0.5, 0.25, 0, 0]);
});

test("stall soon after a step towards the edge makes the next step wait twice as long", () => {
  const { margin, play } = begin();
  margin.stalled();
  play(8);
  assert.equal(margin.seconds, 0);
  margin.stalled();
  play(10);
  assert.equal(margin.seconds, 0.25);
  play(6);
  assert.equal(margin.seconds, 0);
});

test("line that holds at the edge for long is trusted as at first", () => {
  const { margin, play } = begin();
  margin.stalled();
  play(8);
  margin.stalled();
  play(16 + 16);
  margin.stalled();
  play(8);
  assert.equal(margin.seconds, 0);
});

test("stalls of another reason are forgotten at once", () => {
  const { margin } = begin();
  margin.stalled();
  margin.forget();
  assert.equal(margin.seconds, 0);
});
