import assert from "node:assert/strict";
import { test } from "node:test";

import { local } from "#ui/times";

const MOMENT = "2026-11-30T20:35:00+00:00";

test("moment is shown in the reader's zone and language", () => {
  assert.equal(local(MOMENT, "date", "en", "Asia/Shanghai"), "Dec 1, 2026");
  assert.match(local(MOMENT, "datetime", "en", "Asia/Shanghai"), /^Dec 1, 2026, 4:35\sAM$/u);
  assert.match(local(MOMENT, "datetime", "zh-Hans", "Asia/Shanghai"), /2026年12月1日.*4:35|04:35/u);
});

test("unknown time or style gives an empty string", () => {
  assert.equal(local("soon", "date", "en"), "");
  assert.equal(local(MOMENT, "sundial", "en"), "");
});
