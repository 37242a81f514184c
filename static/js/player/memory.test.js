import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { movedPosition, recordPosition, recordTaste, positionOf, taste } from "#player/memory";

/** As a browser keeps it, or refuses to. */
class FakeStorage {
  #kept = new Map();
  isRefused = false;

  getItem(key) {
    if (this.isRefused) throw new DOMException("denied", "SecurityError");
    return this.#kept.get(key) ?? null;
  }

  setItem(key, text) {
    if (this.isRefused) throw new DOMException("full", "QuotaExceededError");
    this.#kept.set(key, text);
  }

  removeItem(key) {
    this.#kept.delete(key);
  }
}

const HOUR = 3600;

beforeEach(() => Object.defineProperty(globalThis, "localStorage", { value: new FakeStorage(), configurable: true }));

test("taste has the chosen values and the defaults for the rest", () => {
  recordTaste({ speed: 1.5 });
  recordTaste({ muted: true });
  assert.deepEqual(taste(), { volume: 1, muted: true, speed: 1.5, quality: 0, captions: "", bandwidth: 0, stable: true, autoplay: true });
});

test("long video goes on where it was left", () => {
  recordPosition("a", 754.9, HOUR);
  recordPosition("b", 40, HOUR);
  assert.deepEqual([positionOf("a"), positionOf("b"), positionOf("unknown")], [754, 40, 0]);
});

test("short video, its first seconds and its end begin at the beginning", () => {
  recordPosition("short", 60, 100);
  recordPosition("hardly begun", 4, HOUR);
  recordPosition("seen", 1000, HOUR);
  recordPosition("seen", 0.96 * HOUR, HOUR);
  assert.deepEqual(["short", "hardly begun", "seen"].map(positionOf), [0, 0, 0]);
});

test("of many positions the newest two hundred are kept", () => {
  for (let i = 0; i < 201; i += 1) recordPosition(`v${i}`, 100, HOUR);
  recordPosition("v1", 200, HOUR); // watched again: the newest
  recordPosition("v201", 100, HOUR);
  assert.deepEqual([positionOf("v0"), positionOf("v1"), positionOf("v2"), positionOf("v201")], [0, 200, 0, 100]);
});

test("browser that stores nothing plays as usual", () => {
  globalThis.localStorage.isRefused = true;
  recordTaste({ speed: 2 });
  recordPosition("a", 500, HOUR);
  assert.deepEqual([taste().speed, positionOf("a")], [1, 0]);
});

test("a position moves with the part that holds it", () => {
  const kept = /** @type {[number, number][]} */ ([[10, 100], [200, 1000]]);
  assert.deepEqual([5, 60, 150, 300, 2000].map((at) => movedPosition(at, kept)), [0, 50, 90, 190, 0]);
});
