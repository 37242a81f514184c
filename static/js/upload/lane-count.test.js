import assert from "node:assert/strict";
import { test } from "node:test";

import { FIRST_LANES, LaneCount, MOST_LANES } from "#upload/lane-count";

/**
 * Send for ``seconds`` over a line that carries ``line`` bytes a ms, of which one connection
 * carries ``connection``; return the counts and the bytes sent.
 */
function send(lanes, { seconds, line, connection, from = 0 }) {
  let bytes = 0;
  const counts = [];
  for (let now = from; now < from + seconds * 1000; now += 100) {
    lanes.sent(bytes, now);
    counts.push(lanes.count);
    bytes += 100 * Math.min(line, lanes.count * connection);
  }
  return { counts, bytes };
}

test("line on which a connection carries little gets lanes until it is full", () => {
  const lanes = new LaneCount(0);
  const { counts } = send(lanes, { seconds: 60, line: 1000, connection: 125 });
  assert.equal(counts[0], FIRST_LANES);
  assert.equal(counts.at(-1), 8);
});

test("line that four connections fill keeps four", () => {
  const { counts } = send(new LaneCount(0), { seconds: 300, line: 1000, connection: 600 });
  assert.equal(counts.at(-1), FIRST_LANES);
  assert.ok(Math.max(...counts) <= FIRST_LANES + 1);
});

test("lanes are never more than the most", () => {
  const { counts } = send(new LaneCount(0), { seconds: 300, line: 10 ** 6, connection: 1 });
  assert.equal(Math.max(...counts), MOST_LANES);
});

test("trouble halves the lanes once for all that fail together, and they rest", () => {
  const lanes = new LaneCount(0);
  lanes.shrink(1000);
  lanes.shrink(1010);
  assert.equal(lanes.count, 2);
  const rest = send(lanes, { seconds: 50, line: 1000, connection: 125, from: 2000 });
  assert.equal(Math.max(...rest.counts), 2);
  const after = send(lanes, { seconds: 120, line: 1000, connection: 125, from: 62_000 });
  assert.equal(after.counts.at(-1), 8);
});

test("one lane stays, whatever happens", () => {
  const lanes = new LaneCount(0);
  for (let now = 0; now < 100_000; now += 10_000) lanes.shrink(now);
  assert.equal(lanes.count, 1);
});

test("lossy line carries twice as much as with four lanes", () => {
  // 100 ms and 1 % loss: about 1.4 Mb/s a connection (Mathis et al., 1997), of a line of 20 Mb/s.
  const line = { seconds: 600, line: 2500, connection: 175 };
  const grown = send(new LaneCount(0), line).bytes;
  const fixed = send({ count: FIRST_LANES, sent() {} }, line).bytes;
  assert.ok(grown / fixed > 2, String(grown / fixed));
});
