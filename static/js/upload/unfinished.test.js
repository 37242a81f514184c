import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { install } from "#testing/dom";

install();
const { all, drop, record, of } = await import("#upload/unfinished");

const FILE = { name: "a.mp4", size: 1000, lastModified: 5 };

beforeEach(() => localStorage.clear());

test("recorded upload is found by its file", () => {
  record("v1", FILE);

  assert.equal(of({ ...FILE }).id, "v1");
});

for (const [member, value] of Object.entries({ name: "b.mp4", size: 1001, lastModified: 6 })) {
  test(`file with another ${member} is another upload`, () => {
    record("v1", FILE);

    assert.equal(of({ ...FILE, [member]: value }), null);
  });
}

test("upload is listed once, as of its last record", () => {
  record("v1", FILE);
  record("v1", { ...FILE, name: "c.mp4" });

  assert.deepEqual(all().map(({ id, name }) => [id, name]), [["v1", "c.mp4"]]);
});

test("dropped upload is not found, and others are", () => {
  record("v1", FILE);
  record("v2", { ...FILE, name: "b.mp4" });

  drop("v1");

  assert.equal(of(FILE), null);
  assert.deepEqual(all().map(({ id }) => id), ["v2"]);
});

test("upload older than a day is not resumed", (context) => {
  context.mock.timers.enable({ apis: ["Date"], now: 0 });
  record("v1", FILE);
  context.mock.timers.setTime(23 * 3_600_000);
  assert.equal(of(FILE)?.id, "v1");

  context.mock.timers.setTime(24 * 3_600_000);

  assert.equal(of(FILE), null);
});
