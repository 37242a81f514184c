import assert from "node:assert/strict";
import { test } from "node:test";

import { chapterAt, divisions, gaps, readChapters } from "#player/chapters";

const CHAPTERS = [{ start_s: 0, title: "Intro" }, { start_s: 30, title: "Middle" }, { start_s: 90, title: "End" }];

test("the chapter of a position is the last one that began", () => {
  assert.deepEqual([0, 29.9, 30, 500].map((at) => chapterAt(CHAPTERS, at)?.title), ["Intro", "Intro", "Middle", "End"]);
  assert.equal(chapterAt(CHAPTERS.slice(1), 3), null);
});

test("the bar is divided inside its length only", () => {
  assert.deepEqual(divisions(CHAPTERS, 120), [0.25, 0.75]);
  assert.deepEqual(divisions(CHAPTERS, 60), [0.5]);
  assert.deepEqual(divisions(CHAPTERS, 0), []);
});

test("a mask cuts a gap at each division", () => {
  assert.equal(gaps([], 3), "");
  const from = "calc(50.0000% - 2px)";
  const to = "calc(50.0000% + 2px)";
  assert.equal(gaps([0.5], 4), `linear-gradient(to right, #000 ${from}, transparent ${from}, transparent ${to}, #000 ${to})`);
});

test("broken chapters are none", () => {
  assert.deepEqual([readChapters(), readChapters("{"), readChapters("[]")], [[], [], []]);
  assert.deepEqual(readChapters(JSON.stringify(CHAPTERS)), CHAPTERS);
});
