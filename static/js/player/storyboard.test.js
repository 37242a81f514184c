import assert from "node:assert/strict";
import { test } from "node:test";

globalThis.document = /** @type {any} */ ({ baseURI: "https://zoetrope.example/watch/1/" });
const { parseStoryboard, stillAt, Storyboard } = await import("#player/storyboard");

const TEXT = `WEBVTT

00:00:00.000 --> 00:00:04.000
https://s3.example/0.jpg?sig=1#xywh=0,0,160,90

00:04.000 --> 01:00:00.000
1.jpg#xywh=160,90,160,90

01:00:00.000 --> 01:00:01.000
not a still
`;

test("cues become stills with absolute addresses", () => {
  assert.deepEqual(parseStoryboard(TEXT, "https://zoetrope.example/hls/storyboard.vtt"), [
    { start: 0, url: "https://s3.example/0.jpg?sig=1", x: 0, y: 0, width: 160, height: 90 },
    { start: 4, url: "https://zoetrope.example/hls/1.jpg", x: 160, y: 90, width: 160, height: 90 },
  ]);
});

test("the still of a position is the last one that began", () => {
  const stills = parseStoryboard(TEXT, "https://zoetrope.example/");
  assert.deepEqual([0, 3.9, 4, 9000].map((time) => stillAt(stills, time)?.start), [0, 0, 4, 4]);
  assert.equal(stillAt([], 1), null);
  assert.equal(stillAt(stills.slice(1), 1), null);
});

test("the index is read once, on demand, and again after its addresses expired", async (context) => {
  context.mock.timers.enable({ apis: ["Date"] });
  let now = 0;
  context.mock.method(performance, "now", () => now);
  const read = context.mock.fn(async () => TEXT);
  const storyboard = new Storyboard("/hls/storyboard.vtt", read);
  assert.equal(storyboard.at(1), null);

  await storyboard.open();
  await storyboard.open();
  assert.equal(read.mock.callCount(), 1);
  assert.equal(storyboard.at(5)?.x, 160);

  storyboard.expire();
  now += 60_000;
  await storyboard.open();
  assert.equal(read.mock.callCount(), 2);
});

test("a missing index is asked for again after a while, and no index never", async (context) => {
  let now = 0;
  context.mock.method(performance, "now", () => now);
  const read = context.mock.fn(async () => {
    throw new Error("404");
  });
  const storyboard = new Storyboard("/hls/storyboard.vtt", read);
  await storyboard.open();
  await storyboard.open();
  now += 60_000;
  await storyboard.open();
  await new Storyboard("", read).open();

  assert.equal(read.mock.callCount(), 2);
  assert.equal(storyboard.at(0), null);
});
