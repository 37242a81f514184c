import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";

import { sha256, solve, zeroBits } from "#lib/proof";

const hex = (words) => [...words].map((word) => word.toString(16).padStart(8, "0")).join("");

test("hashes are those of SHA-256 at every length of the last block", () => {
  for (let length = 0; length < 200; length += 1) {
    const text = "a".repeat(length);
    assert.equal(hex(sha256(text)), createHash("sha256").update(text).digest("hex"));
  }
});

test("zero bits are counted over words", () => {
  assert.equal(zeroBits(new Uint32Array([0, 0x00ffffff, 0])), 40);
  assert.equal(zeroBits(new Uint32Array([0x80000000])), 0);
});

test("solution begins with as many zero bits as were asked for", () => {
  const proof = solve("challenge", 10);
  const digest = createHash("sha256").update(proof).digest();
  assert.match(proof, /^challenge:\d+$/);
  assert.ok(digest.readUInt16BE(0) < 1 << 6);
});
