import assert from "node:assert/strict";
import { test } from "node:test";

import { elementFrom, fire, install } from "#testing/dom";

install();
const { Box } = await import("#chat/box");

const FORM = `<form>
  <textarea name="text"></textarea><span data-part="counter"></span><p data-part="post-error" hidden></p><p data-part="wait" hidden></p>
  <div data-emoji-list><button type="button">🎉</button></div><button type="submit"></button>
</form>`;

/** Return a box of ten letters, and the sentences that were sent. */
function made({ isConnected = true } = {}) {
  const form = elementFrom(FORM);
  const sent = [];
  const box = new Box(form, {
    words: (name, values = {}) => [name, ...Object.values(values)].join(" "),
    longest: 10,
    onPost: (text) => isConnected && Boolean(sent.push(text)),
  });
  const type = (text) => {
    box.field.value = text;
    fire(box.field, "input");
  };
  return { box, form, sent, type };
}

test("empty box cannot be sent", () => {
  const { box, form, sent, type } = made();
  assert.equal(box.button.disabled, true);

  type("  \n ");
  fire(form, "submit");

  assert.equal(box.button.disabled, true);
  assert.deepEqual(sent, []);
});

test("text is sent in one line and leaves the box", () => {
  const { box, form, sent, type } = made();
  type(" a \n b ");

  const { defaultPrevented } = fire(form, "submit");

  assert.equal(defaultPrevented, true);
  assert.deepEqual(sent, ["a b"]);
  assert.equal(box.field.value, "");
});

test("Enter sends, and not with Shift or while a word is composed", () => {
  const { box, sent, type } = made();
  type("hello");

  fire(box.field, "keydown", { key: "Enter", shiftKey: true });
  fire(box.field, "keydown", { key: "Enter", isComposing: true });
  assert.deepEqual(sent, []);
  assert.equal(fire(box.field, "keydown", { key: "Enter" }).defaultPrevented, true);

  assert.deepEqual(sent, ["hello"]);
});

test("text that is too long is not sent and stays", () => {
  const { box, form, sent, type } = made();
  type("eleven char");

  fire(form, "submit");

  assert.deepEqual(sent, []);
  assert.equal(box.error.textContent, "too-long 10");
  assert.equal(box.error.hidden, false);
  assert.equal(box.field.value, "eleven char");
});

test("text stays while there is no connection", () => {
  const { box, form, type } = made({ isConnected: false });
  type("hello");

  fire(form, "submit");

  assert.equal(box.field.value, "hello");
  assert.equal(box.error.textContent, "not-connected");
});

test("counter appears near the limit and warns beyond it", () => {
  const { box, type } = made();

  type("1234567");
  assert.equal(box.counter.hidden, true);
  type("12345678");
  assert.deepEqual([box.counter.hidden, box.counter.textContent], [false, "2"]);
  type("12345678901");
  assert.equal(box.counter.textContent, "-1");
  assert.ok(box.counter.classList.contains("is-over"));
});

test("letters outside of the BMP count once", () => {
  const { box, type } = made();

  type("🎉🎉🎉🎉🎉🎉🎉🎉");

  assert.equal(box.counter.textContent, "2");
});

test("emoji goes in at the cursor", () => {
  const { box, form, type } = made();
  type("ab");
  Object.assign(box.field, { selectionStart: 1, selectionEnd: 1 });

  fire(form.querySelector("[data-emoji-list] button"), "click");

  assert.equal(box.field.value, "a🎉b");
  assert.equal(document.activeElement, box.field);
});

test("failed text comes back unless something new is written", () => {
  const { box, type } = made();

  box.fail("refused", "old");
  assert.equal(box.field.value, "old");
  type("new");
  box.fail("refused", "old");

  assert.equal(box.field.value, "new");
});

test("slow mode counts down and then lets one send again", (context) => {
  let now_ms = 0;
  context.mock.method(performance, "now", () => now_ms);
  context.mock.timers.enable({ apis: ["setInterval"] });
  const { box, form, sent, type } = made();
  type("hello");

  box.holdFor(2);
  assert.equal(box.wait.textContent, "wait 2");
  assert.equal(box.button.disabled, true);
  fire(form, "submit");
  assert.deepEqual(sent, []);

  now_ms = 1100;
  context.mock.timers.tick(250);
  assert.equal(box.wait.textContent, "wait 1");
  now_ms = 2000;
  context.mock.timers.tick(250);
  assert.deepEqual([box.wait.hidden, box.button.disabled], [true, false]);
});

test("banned person cannot write and reads why, until it is lifted", () => {
  const { box } = made();

  box.forbid("You are banned.");
  assert.deepEqual([box.field.disabled, box.error.textContent], [true, "You are banned."]);
  box.allow();

  assert.deepEqual([box.field.disabled, box.error.hidden], [false, true]);
});
