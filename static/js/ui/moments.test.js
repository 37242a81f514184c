import assert from "node:assert/strict";
import test from "node:test";
import { fieldValue, leftText, momentOf, PremiereClock } from "#ui/moments";

test("server's time is UTC, and a field shows it in the zone of the browser", () => {
  const moment = momentOf("2026-12-01T20:05");

  assert.equal(moment.toISOString(), "2026-12-01T20:05:00.000Z");
  assert.equal(momentOf("2026-12-01T20:05:00+01:00").toISOString(), "2026-12-01T19:05:00.000Z");
  assert.equal(new Date(fieldValue(moment)).getTime(), moment.getTime(), "there and back");
});

test("value that is no time has no moment", () => {
  assert.equal(momentOf("soon"), null);
  assert.equal(momentOf(""), null);
});

test("time that is left counts down to zero, with days before the hours", () => {
  assert.equal(leftText(61_000, "{n} days"), "0:01:01");
  assert.equal(leftText(60_001, "{n} days"), "0:01:01", "a second that has begun is left");
  assert.equal(leftText((2 * 86_400 + 3 * 3600 + 4 * 60 + 5) * 1000, "{n} days"), "2 days 3:04:05");
  assert.equal(leftText(-5, "{n} days"), "0:00:00");
});

test("premiere runs with the clock, and nobody seeks ahead of it", () => {
  let now_ms = 1_000_000;
  const clock = new PremiereClock(12, () => now_ms);

  now_ms += 3000;

  assert.equal(clock.position_s, 15);
  assert.equal(clock.allowed(4), 4);
  assert.equal(clock.allowed(300), 15);
});
