import assert from "node:assert/strict";
import { test } from "node:test";

import { fill } from "#lib/words";

test("sentence takes its values and keeps unknown names", () => {
  assert.equal(fill("{now} of {length}, {other}", { now: "0:01", length: 2 }), "0:01 of 2, {other}");
});
