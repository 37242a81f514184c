import assert from "node:assert/strict";
import { test } from "node:test";

import { sideOf } from "#player/cues";

const CASES = [
  [{ line: "auto", snapToLines: true }, "bottom"],
  [{ line: 0, snapToLines: true }, "top"],
  [{ line: -1, snapToLines: true }, "bottom"],
  [{ line: 10, snapToLines: false }, "top"],
  [{ line: 90, snapToLines: false }, "bottom"],
];

for (const [cue, side] of CASES) {
  test(`a cue with line ${cue.line}${cue.snapToLines ? "" : "%"} stands at the ${side}`, () => {
    assert.equal(sideOf(cue), side);
  });
}
