import assert from "node:assert/strict";
import { test } from "node:test";

import { FineScrub } from "#player/fine-scrub";

/** Return the positions of a drag along a bar of 1000 px, given as pairs of x and distance, and the last label. */
function dragged(...moves) {
  const scrub = new FineScrub();
  let share = 0.5;
  const shares = moves.map(([x, distance]) => {
    const found = scrub.move({ x, distance, width: 1000, share });
    share = found ?? share;
    return found === null ? null : Math.round(found * 1e4) / 1e4;
  });
  return { shares, label: scrub.label };
}

test("drag along the bar is left to the bar", () => {
  assert.deepEqual(dragged([500, 0], [700, 40]), { shares: [null, null], label: "" });
});

test("drag away from the bar stays where it was, and then moves in finer steps", () => {
  assert.deepEqual(dragged([500, 0], [500, 60], [600, 60]), { shares: [null, 0.5, 0.55], label: "1/2" });
  assert.deepEqual(dragged([500, 60], [600, 130]), { shares: [0.5, 0.525], label: "1/4" });
  assert.deepEqual(dragged([500, 60], [400, 300]), { shares: [0.5, 0.49], label: "1/10" });
});

test("drag that comes back moves in whole steps from where it is", () => {
  assert.deepEqual(dragged([500, 300], [600, 300], [700, 0]), { shares: [0.5, 0.51, 0.61], label: "" });
});

test("drag ends at the ends of the bar", () => {
  assert.deepEqual(dragged([500, 60], [5000, 0], [-9000, 0]).shares, [0.5, 1, 0]);
});
