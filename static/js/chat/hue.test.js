import assert from "node:assert/strict";
import { test } from "node:test";

import { hue } from "#chat/hue";

test("name has the colour that the server gives it", () => {
  // The hues that common.templatetags.human.hue returns.
  const names = ["lumi", "LUMI", "a", "person12", "Zoe_T.", "x-y-z"];
  assert.deepEqual(names.map(hue), [9, 9, 1, 2, 11, 7]);
});
