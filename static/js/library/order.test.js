import assert from "node:assert/strict";
import test from "node:test";
import { placeAfter, placeAt } from "#library/order";

const ROWS = [0, 100, 200].map((top) => ({ top, height: 80 }));

test("row takes the place between the rows above and below the pointer", () => {
  assert.deepEqual([-5, 39, 41, 150, 500].map((y) => placeAt(y, ROWS)), [0, 0, 1, 2, 3]);
  assert.equal(placeAt(10, []), 0);
});

test("arrow keys move by one, and not out of the list", () => {
  assert.deepEqual([placeAfter("ArrowUp", 1, 3), placeAfter("ArrowUp", 0, 3)], [0, 0]);
  assert.deepEqual([placeAfter("ArrowDown", 1, 3), placeAfter("ArrowDown", 2, 3)], [2, 2]);
  assert.deepEqual([placeAfter("Home", 2, 3), placeAfter("End", 0, 3)], [0, 2]);
  assert.equal(placeAfter("Enter", 1, 3), null);
});
