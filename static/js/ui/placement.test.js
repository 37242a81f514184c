import assert from "node:assert/strict";
import { test } from "node:test";

import { besideButton } from "#ui/placement";

const MENU = { width: 240, height: 200 };
const at = (right, top) => ({ right, top, bottom: top + 44 });

test("menu is below its button, its right edge at the button's", () => {
  assert.deepEqual(besideButton(at(700, 100), MENU, 1440, 900), { left: 460, top: 144 });
});

test("menu without room below is above its button", () => {
  assert.deepEqual(besideButton(at(700, 800), MENU, 1440, 900), { left: 460, top: 600 });
});

test("menu of a tile at the edge stays in the window", () => {
  assert.deepEqual(besideButton(at(100, 100), MENU, 1440, 900), { left: 8, top: 144 });
  assert.deepEqual(besideButton(at(1450, 100), MENU, 1440, 900), { left: 1192, top: 144 });
  assert.equal(besideButton(at(700, 100), MENU, 1440, 200).top, 8);
});
