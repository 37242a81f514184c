import assert from "node:assert/strict";
import { test } from "node:test";

import { FIRST_LANES, LaneCount, MOST_LANES } from "#upload/lane-count";

const PART = 1000;
const STEP_MS = 10;

/**
 * Send parts for ``seconds`` over a line that carries ``line`` bytes a ms, of which one
 * connection carries ``connection``, by at most ``connections``; return the counts and the
 * bytes that were stored.
 */
function send(lanes, { seconds, line, connection, connections = Number.POSITIVE_INFINITY, from = 0 }) {
  let bytes = 0;
  const counts = [];
  const underWay = [];
  for (let now = from; now < from + seconds * 1000; now += STEP_MS) {
    while (underWay.length < lanes.count) underWay.push({ startedAt: now, left: PART });
    const open = underWay.slice(0, connections);
    for (const part of open) part.left -= STEP_MS * Math.min(connection, line / open.length);
    for (const part of underWay.filter(({ left }) => left <= 0)) {
      underWay.splice(underWay.indexOf(part), 1);
      bytes += PART;
      lanes.stored(PART, part.startedAt, now + STEP_MS);
    }
    counts.push(lanes.count);
  }
  return { counts, bytes };
}

test("line on which a connection carries little gets lanes until it is full", () => {
  const { counts } = send(new LaneCount(), { seconds: 30, line: 9, connection: 1 });
  assert.equal(counts[0], FIRST_LANES);
  assert.equal(counts.at(-1), 9);
});

test("line that four connections fill keeps four", () => {
  const { counts } = send(new LaneCount(), { seconds: 300, line: 4, connection: 2 });
  assert.equal(counts.at(-1), FIRST_LANES);
  assert.equal(Math.max(...counts), 6);
  assert.ok(counts.filter((count) => count > FIRST_LANES).length < 0.1 * counts.length);
});

test("browser with six connections gets six lanes", () => {
  const { counts } = send(new LaneCount(), { seconds: 300, line: 100, connection: 1, connections: 6 });
  assert.ok(counts.filter((count) => count === 6).length > 0.8 * counts.length);
});

test("lanes are never more than the most", () => {
  const { counts } = send(new LaneCount(), { seconds: 300, line: 10 ** 6, connection: 1 });
  assert.equal(Math.max(...counts), MOST_LANES);
});

test("trouble halves the lanes once for all parts that fail together, and they rest", () => {
  const lanes = new LaneCount();
  lanes.shrink(0, 1000);
  lanes.shrink(10, 1010);
  assert.equal(lanes.count, 2);
  const rest = send(lanes, { seconds: 50, line: 9, connection: 1, from: 2000 });
  assert.equal(Math.max(...rest.counts), 2);
  const after = send(lanes, { seconds: 60, line: 9, connection: 1, from: 62_000 });
  assert.ok(after.counts.at(-1) >= 8, String(after.counts.at(-1)));
});

test("one lane stays, whatever happens", () => {
  const lanes = new LaneCount();
  for (let now = 1; now < 100_000; now += 10_000) lanes.shrink(now, now + 1);
  assert.equal(lanes.count, 1);
});
