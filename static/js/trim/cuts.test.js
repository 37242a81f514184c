import assert from "node:assert/strict";
import test from "node:test";

import { MAX_CUTS, TrimCuts } from "#trim/cuts";

test("a video begins whole, and an unchanged one cuts nothing", () => {
  const cuts = new TrimCuts(60);

  assert.deepEqual(cuts.parts, [{ start: 0, end: 60 }]);
  assert.equal(cuts.isChanged, false);
});

test("beginning, end and a section in the middle leave two parts", () => {
  const cuts = new TrimCuts(60);
  cuts.move(-1, "start", 2);
  cuts.move(-1, "end", 50);
  const number = cuts.add(20);
  cuts.move(number, "end", 30);

  assert.deepEqual(cuts.parts, [
    { start: 2, end: 20 },
    { start: 30, end: 50 },
  ]);
  assert.equal(cuts.length, 38);
  assert.equal(cuts.isChanged, true);
});

test("a handle stops before its neighbours", () => {
  const cuts = new TrimCuts(60);
  cuts.add(20);
  cuts.move(0, "end", 30);
  cuts.add(40);
  cuts.move(0, "end", 59);
  cuts.move(0, "start", -5);
  cuts.move(-1, "start", 99);

  assert.deepEqual(cuts.cuts[0], { start: 0.2, end: 39.8 });
  assert.equal(cuts.outer.start, 0);
});

test("a cut at the very beginning or end leaves a rest beside it", () => {
  const cuts = new TrimCuts(60);

  cuts.add(0);
  cuts.add(59.99);

  assert.equal(cuts.cuts[0].start, 0.2);
  assert.equal(cuts.cuts[1].end, 59.8);
});

test("there is no cut where no room is left", () => {
  const cuts = new TrimCuts(0.5);

  assert.equal(cuts.add(0.2), -1);
  assert.equal(new TrimCuts(60).add(60), -1);
});

test("only so many cuts can be made", () => {
  const cuts = new TrimCuts(3600);
  for (let at = 0; at < 3600; at += 20) cuts.add(at);

  assert.equal(cuts.cuts.length, MAX_CUTS);
});

test("undo and redo go back and forth, and a new change ends redo", () => {
  const cuts = new TrimCuts(60);
  cuts.add(20);
  cuts.record();
  cuts.move(-1, "start", 5);
  cuts.undo();
  assert.deepEqual([cuts.outer.start, cuts.cuts.length], [0, 1]);
  cuts.undo();
  assert.equal(cuts.isChanged, false);
  cuts.redo();
  cuts.redo();
  assert.deepEqual([cuts.outer.start, cuts.cuts.length], [5, 1]);
  cuts.undo();
  cuts.remove(0);
  cuts.redo();
  assert.deepEqual([cuts.outer.start, cuts.cuts.length], [0, 0]);
});

test("a preview skips cut parts and ends with the last part", () => {
  const cuts = new TrimCuts(60);
  cuts.move(-1, "start", 2);
  cuts.move(-1, "end", 50);
  cuts.add(20);
  cuts.move(0, "end", 30);

  assert.deepEqual([0, 10, 20, 29.9, 30, 50].map((at) => cuts.shown(at)), [2, 10, 30, 30, 30, null]);
});
