import assert from "node:assert/strict";
import { test } from "node:test";

import { install } from "#testing/dom";

install();
const { scrollState } = await import("#ui/shelves");
const at = (scrollLeft, scrollWidth = 2000) => scrollState({ scrollLeft, scrollWidth, clientWidth: 1000 });

test("row scrolls forward from its beginning, back from its end, and both ways between", () => {
  assert.deepEqual(at(0), { canScroll: true, back: false, forward: true });
  assert.deepEqual(at(500), { canScroll: true, back: true, forward: true });
  assert.deepEqual(at(999.4), { canScroll: true, back: true, forward: false });
});

test("row whose tiles fit does not scroll", () => {
  assert.deepEqual(at(0, 1000), { canScroll: false, back: false, forward: false });
});
