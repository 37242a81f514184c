import assert from "node:assert/strict";
import { test } from "node:test";

import { SectionLoop } from "#player/section-loop";

function from(start_s, end_s) {
  const loop = new SectionLoop();
  loop.mark(start_s);
  loop.mark(end_s);
  loop.seek(start_s);
  return loop;
}

test("marks set the start, then the end, then nothing", () => {
  const loop = new SectionLoop();
  const marks = [4, 9, 12].map((now_s) => {
    loop.mark(now_s);
    return [loop.start_s, loop.end_s];
  });

  assert.deepEqual(marks, [[4, null], [4, 9], [null, null]]);
});

test("end that is not behind the start becomes the start", () => {
  const loop = from(8, 3);

  assert.deepEqual([loop.start_s, loop.end_s], [3, null]);
});

test("end too near to the start becomes the start", () => {
  assert.equal(from(8, 8.2).isComplete, false);
});

test("playback that reaches the end goes back to the start each time", () => {
  const loop = from(4, 9);

  assert.deepEqual([8.9, 9.1].map((now_s) => loop.advance(now_s)), [null, 4]);
  loop.seek(4);
  assert.deepEqual([4.2, 9].map((now_s) => loop.advance(now_s)), [null, 4]);
});

test("seek behind the end plays on", () => {
  const loop = from(4, 9);
  loop.seek(20);

  assert.equal(loop.advance(20.2), null);
});

test("playback without an end goes on", () => {
  const loop = new SectionLoop();
  loop.mark(4);

  assert.equal(loop.advance(50), null);
});
