import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";

import { fire, html, install, serve } from "#testing/dom";

install();
await import("#live/autosave");

const WORDS = ["saving", "saved", "not-saved", "undo"];
const PAGE = `<div>
  <p data-autosave-state></p><live-stage data-status="live"></live-stage><dialog id="make-private"></dialog>
  <auto-save data-username="eve">
    <template data-words>${WORDS.map((name) => `<dd data-word="${name}">${name}</dd>`).join("")}</template>
    <form>
      <input name="title" value="Old"><select name="category" value="music"></select><select name="visibility" value="public"></select>
      <select name="latency" value="low"></select><input type="checkbox" name="record"><button data-part="save"></button>
    </form>
  </auto-save>
</div>`;

beforeEach(() => mock.timers.enable({ apis: ["setTimeout"] }));
afterEach(() => mock.timers.reset());

/** Let promises take place while timers stand still. */
async function answered() {
  for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

/** Return the form of a stream that is live, with the changes that were sent. */
function made({ patch = () => ({}) } = {}) {
  const sent = [];
  serve({ "PATCH live/eve/": (body) => sent.push(body) && patch(body) });
  const page = html(PAGE).firstElementChild;
  document.body.replaceChildren(page);
  const { elements } = page.querySelector("form");
  const state = page.querySelector("[data-autosave-state]");
  const change = (name, value) => {
    elements[name].value = value;
    fire(elements[name], "change");
  };
  /** Let the pause after the last change pass, and the answer come. */
  const pass = async (ms = 1000) => {
    await answered();
    mock.timers.tick(ms);
    await answered();
  };
  return { page, elements, state, sent, change, pass, dialog: page.querySelector("dialog"), stage: page.querySelector("live-stage") };
}

test("change of a field is saved at once, and only that field", async () => {
  const { sent, state, change, pass, page } = made();

  change("category", "games");
  await pass(0);

  assert.deepEqual(sent, [{ category: "games" }]);
  assert.equal(state.textContent, "saved undo");
  assert.equal(page.querySelector('[data-part="save"]').hidden, true, "the button is for pages without scripts");
});

test("typing is saved after a pause, and once", async () => {
  const { sent, elements, pass } = made();

  for (const title of ["N", "Ne", "New"]) {
    elements.title.value = title;
    fire(elements.title, "input");
    mock.timers.tick(500);
  }
  assert.deepEqual(sent, []);
  await pass(800);

  assert.deepEqual(sent, [{ title: "New" }]);
});

test("form without a change sends nothing", async () => {
  const { sent, page, pass } = made();

  const { defaultPrevented } = fire(page.querySelector("form"), "submit");
  await pass();

  assert.equal(defaultPrevented, true);
  assert.deepEqual(sent, []);
});

test("undo restores the last values and saves them", async () => {
  const { sent, state, change, pass, elements } = made();
  change("category", "games");
  await pass();

  fire(state.querySelector("button"), "click");
  await pass();

  assert.equal(elements.category.value, "music");
  assert.deepEqual(sent, [{ category: "games" }, { category: "music" }]);
});

test("refused change is shown and sent again with the next one", async () => {
  let refuses = true;
  const { sent, state, change, pass } = made({ patch: () => (refuses ? { status: 400, errors: [{ code: "invalid", detail: "Not now." }] } : {}) });
  change("category", "games");
  await pass();
  assert.equal(state.textContent, "Not now.");

  refuses = false;
  change("latency", "normal");
  await pass();

  assert.deepEqual(sent.at(-1), { category: "games", latency: "normal" });
});

test("changes are sent one after the other, and the newest wins", async () => {
  const answers = [];
  const { sent, change, pass } = made();
  const { fetch } = globalThis;
  globalThis.fetch = async (...request) => {
    const answer = await fetch(...request);
    await new Promise((resolve) => answers.push(resolve));
    return answer;
  };

  change("title", "One");
  await pass();
  change("title", "Two");
  await pass();
  assert.deepEqual(sent, [{ title: "One" }], "the second change waits for the first answer");
  answers[0]();
  await answered();
  answers[1]?.();
  await answered();

  assert.deepEqual(sent, [{ title: "One" }, { title: "Two" }]);
});

test("live stream is made private only after a question", async () => {
  const { sent, change, pass, dialog, elements } = made();

  change("visibility", "private");
  await pass();
  assert.equal(dialog.open, true);
  assert.deepEqual(sent, [], "nothing is saved while the dialog asks");
  dialog.close("no");
  await pass();
  assert.equal(elements.visibility.value, "public");

  change("visibility", "private");
  dialog.close("yes");
  await pass();

  assert.deepEqual(sent, [{ visibility: "private" }]);
});

test("stream that is offline is made private without a question", async () => {
  const { sent, change, pass, dialog, stage } = made();
  stage.dataset.status = "offline";

  change("visibility", "private");
  await pass();

  assert.equal(dialog.open, false);
  assert.deepEqual(sent, [{ visibility: "private" }]);
});
