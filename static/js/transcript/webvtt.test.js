import assert from "node:assert/strict";
import { test } from "node:test";
import { clock, escape, parse, plain, write, writeSubRip } from "#transcript/webvtt";

const TEXT = `WEBVTT
X-TIMESTAMP-MAP=MPEGTS:0,LOCAL:00:00:00.000

00:00:01.000 --> 00:00:02.500 line:0
Hello <i>there</i> &amp; you

NOTE nobody reads this

01:00:00.000 --> 01:00:01.000
two
lines
`;

test("cues are read with times, settings and markup, and notes are not", () => {
  assert.deepEqual(parse(TEXT), [
    { start: 1000, end: 2500, text: "Hello <i>there</i> &amp; you", settings: "line:0" },
    { start: 3_600_000, end: 3_601_000, text: "two\nlines", settings: "" },
  ]);
});

test("written cues are read back", () => {
  const cues = parse(TEXT);
  assert.deepEqual(parse(write(cues)), cues);
});

test("cue that ends before it begins, or without words, is left out", () => {
  assert.deepEqual(parse("WEBVTT\n\n00:02.000 --> 00:01.000\nx\n\n00:02.000 --> 00:03.000\n\n"), []);
});

test("plain words have neither markup nor entities nor lines", () => {
  assert.equal(plain("<v Ann>1 &lt; 2\nand <b>3</b>"), "1 < 2 and 3");
  assert.equal(plain(escape("<script>&")), "<script>&");
});

test("SubRip has numbers, commas and no voices", () => {
  assert.equal(
    writeSubRip([{ start: 1, end: 3_723_004, text: "<v Ann>a &amp; <i>b</i>", settings: "line:0" }]),
    "1\n00:00:00,001 --> 01:02:03,004\na & <i>b</i>\n",
  );
  assert.equal(clock(59_999.6), "00:01:00.000");
});
