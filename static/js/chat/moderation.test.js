import assert from "node:assert/strict";
import { test } from "node:test";

import { elementFrom, fire, install } from "#testing/dom";

install();
const { Moderation } = await import("#chat/moderation");

const LINE = (id, username) => `<div class="chat-line" data-id="${id}" data-username="${username}"><button class="chat-actions"></button></div>`;
const ROOM = `<div>
  <div><div data-part="log">${LINE("m1", "ada")}${LINE("m2", "bob")}${LINE("m3", "eve")}</div></div>
  <div data-part="menu"><button data-act="delete"></button><button data-act="timeout"></button><button data-act="ban"></button></div>
  <form data-part="modes"><select name="slow_s" value="0"></select><input type="checkbox" name="emotes_only"></form>
</div>`;

/** Return the moderation of a room with three messages, and the frames that it sends. */
function made() {
  const room = elementFrom(ROOM);
  document.body.replaceChildren(room);
  const [log, menu, modes] = ["log", "menu", "modes"].map((name) => room.querySelector(`[data-part="${name}"]`));
  const frames = [];
  const held = [];
  const moderation = new Moderation({ log, menu, modes, send: (frame) => frames.push(frame), hold: (isHeld) => held.push(isHeld) });
  return { moderation, log, menu, modes, frames, held, lines: log.children };
}

test("menu of a line acts on its message and closes", () => {
  const { lines, menu, frames } = made();

  fire(lines[1].querySelector("button"), "click");
  assert.equal(menu.isPopoverOpen, true);
  assert.ok(lines[1].classList.contains("is-chosen"));
  fire(menu.querySelector('[data-act="delete"]'), "click");

  assert.deepEqual(frames, [{ type: "delete", id: "m2" }]);
  assert.equal(menu.isPopoverOpen, false);
  assert.ok(!lines[1].classList.contains("is-chosen"));
});

test("timeout and ban name the person", () => {
  const { lines, menu, frames } = made();

  for (const act of ["timeout", "ban"]) {
    fire(lines[0].querySelector("button"), "click");
    fire(menu.querySelector(`[data-act="${act}"]`), "click");
  }

  assert.deepEqual(frames.map(({ type, username }) => [type, username]), [["timeout", "ada"], ["ban", "ada"]]);
  assert.ok(frames[0].seconds > 0);
});

test("lines stand still while the menu is open", () => {
  const { lines, menu, held } = made();

  fire(lines[0].querySelector("button"), "click");
  menu.hidePopover();

  assert.deepEqual(held, [true, false]);
});

test("closed menu gives the focus back to its line", () => {
  const { lines, menu } = made();
  fire(lines[2].querySelector("button"), "click");
  assert.equal(document.activeElement, menu.firstElementChild);

  menu.hidePopover();

  assert.equal(document.activeElement, lines[2]);
});

test("arrows walk through the lines, from the last one", () => {
  const { log, lines } = made();

  fire(log.parentElement, "keydown", { key: "ArrowUp" });
  assert.equal(document.activeElement, lines[2]);
  assert.equal(fire(lines[2], "keydown", { key: "ArrowUp" }).defaultPrevented, true);
  assert.equal(document.activeElement, lines[1]);
  fire(lines[1], "keydown", { key: "ArrowDown" });

  assert.equal(document.activeElement, lines[2]);
});

test("Delete removes the focused message and Enter opens its menu", () => {
  const { lines, menu, frames } = made();

  fire(lines[0], "keydown", { key: "Delete" });
  fire(lines[1], "keydown", { key: "Enter" });

  assert.deepEqual(frames, [{ type: "delete", id: "m1" }]);
  assert.equal(menu.isPopoverOpen, true);
});

test("other keys are left to the browser", () => {
  const { lines, frames } = made();

  assert.equal(fire(lines[0], "keydown", { key: "a" }).defaultPrevented, false);
  assert.deepEqual(frames, []);
});

test("arrows walk around the menu", () => {
  const { lines, menu } = made();
  fire(lines[0].querySelector("button"), "click");
  const [first, second, last] = menu.children;

  fire(menu, "keydown", { key: "ArrowDown" });
  assert.equal(document.activeElement, second);
  fire(menu, "keydown", { key: "End" });
  assert.equal(document.activeElement, last);
  fire(menu, "keydown", { key: "ArrowDown" });
  assert.equal(document.activeElement, first);
  fire(menu, "keydown", { key: "ArrowUp" });

  assert.equal(document.activeElement, last);
});

test("changed mode is sent as a number or as yes and no", () => {
  const { modes, frames } = made();
  const [slow, emotes] = modes.children;
  slow.value = "10";
  emotes.checked = true;

  fire(slow, "change");
  fire(emotes, "change");

  assert.deepEqual(frames, [{ type: "mode", slow_s: 10 }, { type: "mode", emotes_only: true }]);
});

test("mode of the room is shown in its fields, and unknown fields stay", () => {
  const { moderation, modes } = made();
  const [slow, emotes] = modes.children;

  moderation.showMode({ emotes_only: true });
  assert.deepEqual([slow.value, emotes.checked], ["0", true]);
  moderation.showMode({ slow_s: 30, emotes_only: false });

  assert.deepEqual([slow.value, emotes.checked], ["30", false]);
});
