import assert from "node:assert/strict";
import { test } from "node:test";

import { open, refusalOf } from "#studio/replacement";

const FILE = { name: "second.mp4", size: 20 };

test("a file of the size that was begun resumes, another one is refused", () => {
  const known = { begun: { id: "e", size: 20 }, maxBytes: 100 };
  assert.equal(refusalOf(FILE, known), "");
  assert.equal(refusalOf({ size: 21 }, known), "differs");
  assert.equal(refusalOf({ size: 21 }, { ...known, begun: null }), "");
});

test("an empty file and one above the limit are refused before they are sent", () => {
  assert.equal(refusalOf({ size: 0 }, { begun: null, maxBytes: 100 }), "empty");
  assert.equal(refusalOf({ size: 101 }, { begun: null, maxBytes: 100 }), "too-large");
});

test("a first upload is begun for the video", async () => {
  /** @type {any[]} */
  const calls = [];
  const answer = { id: "e", upload: { part_size_bytes: 8, part_count: 3, parts: [{ number: 1, url: "u" }] } };
  const opened = await open("v", FILE, null, async (...call) => (calls.push(call), answer));
  assert.deepEqual(calls, [["POST", "videos/v/edition/upload/", { filename: "second.mp4", size_bytes: 20 }]]);
  assert.deepEqual(opened, { id: "e", partSize: 8, partCount: 3, urls: [{ number: 1, url: "u" }] });
});

test("an audio track is begun at its own address with its fields", async () => {
  /** @type {any[]} */
  const calls = [];
  const answer = { id: "e", upload: { part_size_bytes: 8, part_count: 3, parts: [] } };
  const use = { path: "audio-tracks/", about: { language: "fr", filename: "other" } };
  await open("v", FILE, null, async (...call) => (calls.push(call), answer), use);
  assert.deepEqual(calls, [["POST", "videos/v/audio-tracks/", { language: "fr", filename: "second.mp4", size_bytes: 20 }]]);
});

test("an upload that was begun goes on with the parts that have arrived", async () => {
  const uploaded = [{ number: 1, etag: "a" }];
  /** @type {any[]} */
  const calls = [];
  const answer = { part_size_bytes: 8, part_count: 3, uploaded };
  const opened = await open("v", FILE, { id: "e", size: 20 }, async (...call) => (calls.push(call), answer));
  assert.deepEqual(calls, [["GET", "videos/e/upload/"]]);
  assert.deepEqual(opened, { id: "e", partSize: 8, partCount: 3, uploaded });
});
