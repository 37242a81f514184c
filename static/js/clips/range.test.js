import assert from "node:assert/strict";
import test from "node:test";

import { ClipRange } from "#clips/range";

test("the section begins as the half minute that was just seen", () => {
  const range = new ClipRange({ at: 100.04, until: 3600 });

  assert.deepEqual([range.start, range.end, range.length], [70, 100, 30]);
});

test("near the beginning, the section is the first half minute", () => {
  const range = new ClipRange({ at: 3, until: 3600 });

  assert.deepEqual([range.start, range.end], [0, 30]);
});

test("a short video is the section, and never more than it has", () => {
  const range = new ClipRange({ at: 2, until: 8.08 });

  assert.deepEqual([range.start, range.end, range.strip], [0, 8, { from: 0, to: 8 }]);
  assert.equal(new ClipRange({ at: 0, until: 4.9 }).isPossible, false);
  assert.equal(new ClipRange({ at: 0, until: 5 }).isPossible, true);
});

test("the strip of a long video is five minutes around the section, inside the video", () => {
  assert.deepEqual(new ClipRange({ at: 1000, until: 3600 }).strip, { from: 835, to: 1135 });
  assert.deepEqual(new ClipRange({ at: 3590, until: 3600 }).strip, { from: 3300, to: 3600 });
});

test("the end follows a beginning that comes too near or goes too far", () => {
  const range = new ClipRange({ at: 1000, until: 3600 });

  range.moveStart(998);
  assert.deepEqual([range.start, range.end], [998, 1003]);
  range.moveEnd(1135);
  range.moveStart(840);
  assert.deepEqual([range.start, range.end], [840, 1020]);
});

test("the beginning follows an end that comes too near or goes too far", () => {
  const range = new ClipRange({ at: 1000, until: 3600 });

  range.moveEnd(960);
  assert.deepEqual([range.start, range.end], [955, 960]);
  range.moveStart(900);
  range.moveEnd(1130);
  assert.deepEqual([range.start, range.end], [950, 1130]);
});

test("handles stop at the ends of the strip", () => {
  const range = new ClipRange({ at: 10, until: 20 });

  range.moveStart(-5);
  range.moveEnd(25);
  assert.deepEqual([range.start, range.end], [0, 20]);
  range.moveStart(19);
  assert.deepEqual([range.start, range.end], [15, 20]);
});

test("the whole section moves and keeps its length", () => {
  const range = new ClipRange({ at: 1000, until: 3600 });

  range.moveBy(20.04);
  assert.deepEqual([range.start, range.end], [990, 1020]);
  range.moveBy(-1000);
  assert.deepEqual([range.start, range.end], [835, 865]);
});

test("the preview goes on inside the section, and returns to its beginning from outside", () => {
  const range = new ClipRange({ at: 100, until: 3600 });

  assert.deepEqual([range.looped(70), range.looped(99.9), range.looped(100), range.looped(20)], [null, null, 70, 70]);
});

test("places and stills are spread over the strip", () => {
  const range = new ClipRange({ at: 10, until: 20 });

  assert.deepEqual([range.share(0), range.share(5), range.share(30)], [0, 0.25, 1]);
  assert.deepEqual(range.times(4), [2.5, 7.5, 12.5, 17.5]);
});
