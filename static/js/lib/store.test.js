import assert from "node:assert/strict";
import { test } from "node:test";

import { install } from "#testing/dom";

install();
const { forget, recall, remember } = await import("#lib/store");

test("value is recalled as it was remembered", () => {
  remember("taste", { volume: 0.5 });

  assert.deepEqual(recall("taste", null), { volume: 0.5 });
});

test("forgotten and unknown values are the default", () => {
  remember("gone", 1);
  forget("gone");

  assert.equal(recall("gone", "default"), "default");
  assert.equal(recall("never", 7), 7);
});

test("value of another program is the default", () => {
  localStorage.setItem("taste", "{not JSON");

  assert.equal(recall("taste", "default"), "default");
});

test("refused storage remembers nothing and breaks nothing", () => {
  const refuse = () => {
    throw new Error("SecurityError");
  };
  Object.assign(globalThis, { localStorage: { getItem: refuse, setItem: refuse, removeItem: refuse } });

  remember("a", 1);
  forget("a");

  assert.equal(recall("a", "default"), "default");
});
