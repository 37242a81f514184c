import assert from "node:assert/strict";
import { test } from "node:test";
import { EditedTrack, problemsOf, readTime, sendable, writeTime } from "#captions/track";

const begin = () =>
  new EditedTrack([
    { start: 1000, end: 3000, text: "one two" },
    { start: 3000, end: 5000, text: "three" },
  ]);
const shown = (track) => track.cues.map(({ start, end, text }) => [start, end, text]);

test("split divides words and time, at the playhead if it is inside", () => {
  const track = begin();
  assert.equal(track.split(1, 3), 3);
  assert.deepEqual(shown(track), [[1000, 2000, "one"], [2000, 3000, "two"], [3000, 5000, "three"]]);
  const other = begin();
  other.split(1, 3, 2600);
  assert.deepEqual(shown(other)[0], [1000, 2600, "one"]);
  assert.equal(other.split(2, 0), null);
});

test("merge joins two cues, and Chinese without a space", () => {
  const track = begin();
  assert.ok(track.merge(1));
  assert.deepEqual(shown(track), [[1000, 5000, "one two three"]]);
  assert.ok(!track.merge(1));
  const chinese = new EditedTrack([{ start: 0, end: 1, text: "你好" }, { start: 1, end: 2, text: "世界" }]);
  chinese.merge(1);
  assert.equal(chinese.cues[0].text, "你好世界");
});

test("changes are undone and done again, and typing in one cue at once", () => {
  const track = begin();
  track.setText(1, "o");
  track.setText(1, "on");
  track.remove(2);
  assert.ok(track.undo());
  assert.ok(track.undo());
  assert.deepEqual(shown(track), shown(begin()));
  assert.ok(!track.undo());
  assert.ok(track.redo());
  assert.equal(track.cues[0].text, "on");
  track.setText(2, "other");
  assert.ok(!track.redo());
});

test("cue always lasts, and cues stay in order", () => {
  const track = begin();
  track.setTimes(1, { start: 9000 });
  assert.deepEqual(shown(track), [[3000, 5000, "three"], [9000, 9100, "one two"]]);
  track.setTimes(1, { end: 50 });
  assert.deepEqual(shown(track)[0], [0, 100, "one two"]);
});

test("shift moves all cues and stops at the beginning", () => {
  const track = begin();
  track.shift(500);
  assert.deepEqual(shown(track).map(([start]) => start), [1500, 3500]);
  track.shift(-9000);
  assert.deepEqual(shown(track).map(([start]) => start), [0, 2000]);
});

test("new cue ends before the next one begins", () => {
  const track = begin();
  const id = track.insert(0);
  assert.deepEqual(shown(track)[0], [0, 1000, ""]);
  assert.equal(track.at(id), 0);
});

test("problems are named: empty, overlap, too fast, too short, too long", () => {
  const track = new EditedTrack([
    { start: 0, end: 2000, text: "<i> </i>" },
    { start: 1000, end: 2000, text: "x".repeat(30) },
    { start: 2000, end: 2100, text: "a" },
    { start: 3000, end: 4000, text: "这一句话对一秒钟来说实在太长了" },
    { start: 5000, end: 16_000, text: "slow" },
    { start: 16_000, end: 18_000, text: "This one is good." },
  ]);
  assert.deepEqual([...problemsOf(track.cues)], [[1, ["empty"]], [2, ["overlap", "fast"]], [3, ["short"]], [4, ["fast"]], [5, ["long"]]]);
});

test("times are read as people write them", () => {
  assert.deepEqual(["1:02:03.5", "62.25", "1:02,5", " 7 "].map(readTime), [3_723_500, 62_250, 62_500, 7000]);
  assert.deepEqual(["", "a", "1:2:3:4", "-1"].map(readTime), [null, null, null, null]);
  for (const ms of [0, 59_999, 3_723_040]) assert.equal(readTime(writeTime(ms)), ms);
});

test("sent cues have neither blank lines nor arrows nor empty words", () => {
  const track = new EditedTrack([{ start: 0, end: 1, text: " a\n\n b --> c " }, { start: 1, end: 2, text: " \n" }]);
  assert.deepEqual(sendable(track.cues), [{ start: 0, end: 1, settings: "", text: "a\nb → c" }]);
});
