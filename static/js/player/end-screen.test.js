import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { fire, html, install, settled } from "#testing/dom";

install();
globalThis.matchMedia = /** @type {any} */ (() => ({ matches: false }));
await import("#player/end-screen");
const { taste } = await import("#player/memory");

const PARTS = `<p data-part="end-left"></p><p data-part="end-status"></p><a data-part="end-now"></a><button data-part="end-cancel" hidden></button>
  <button data-part="end-replay"></button><button data-part="end-follow" hidden></button><input type="checkbox" data-part="end-autoplay">
  <template data-words><dl><dd data-word="counting">{seconds} {title}</dd></dl></template>`;
const FOLLOW = `<div class="about-channel"><form class="follow"><button value="true"></button></form></div>`;

let visited;
beforeEach(() => {
  localStorage.clear();
  visited = [];
  globalThis.location = /** @type {any} */ ({ assign: (url) => visited.push(url) });
});

/** Return the end screen of a player, on a page with a button to follow the channel. */
async function made(t, { next = "/watch/b/" } = {}) {
  t.mock.timers.enable({ apis: ["setInterval"] });
  let now = 0;
  t.mock.method(performance, "now", () => now);
  const page = html(`<main><test-player data-player><video></video>
    <end-screen${next ? ` data-next="${next}" data-title="B"` : ""} hidden>${PARTS}</end-screen></test-player>${FOLLOW}</main>`).firstElementChild;
  page.querySelector("test-player").ended = true;
  document.body.replaceChildren(page);
  t.after(() => page.remove());
  await settled();
  const [screen, video] = ["end-screen", "video"].map((name) => page.querySelector(name));
  const pass = (ms) => {
    for (const until = now + ms; now < until; ) {
      now += 200;
      t.mock.timers.tick(200);
    }
  };
  const part = (name) => screen.querySelector(`[data-part=${name}]`);
  return { page, screen, part, pass, end: () => fire(video, "ended"), replay: () => fire(video, "play") };
}

test("next video follows eight seconds after the end", async (t) => {
  const { screen, part, pass, end } = await made(t);
  end();
  assert.equal(screen.hidden, false);
  assert.equal(part("end-status").textContent, "8 B");
  pass(7800);
  assert.deepEqual(visited, []);
  pass(400);

  assert.deepEqual(visited, ["/watch/b/"]);
});

test("cancel and Escape keep the page", async (t) => {
  const { screen, part, pass, end, replay } = await made(t);
  end();
  fire(part("end-cancel"), "click");
  assert.equal(part("end-cancel").hidden, true);
  replay();
  assert.equal(screen.hidden, true);
  end();
  const event = fire(document, "keydown", { key: "Escape" });
  pass(20_000);

  assert.equal(event.defaultPrevented, true);
  assert.deepEqual(visited, []);
});

test("replay ends the countdown", async (t) => {
  const { pass, end, replay } = await made(t);
  end();
  replay();
  pass(20_000);

  assert.deepEqual(visited, []);
});

test("autoplay that is off is remembered, and counts again once it is on", async (t) => {
  const { part, pass, end, replay } = await made(t);
  end();
  const box = part("end-autoplay");
  assert.equal(box.checked, true);
  box.checked = false;
  fire(box, "change");
  assert.equal(taste().autoplay, false);
  pass(20_000);
  replay();
  end();
  pass(20_000);
  assert.deepEqual(visited, []);
  box.checked = true;
  fire(box, "change");
  pass(8200);

  assert.deepEqual(visited, ["/watch/b/"]);
});

test("countdown waits while a comment is being written", async (t) => {
  const { page, pass, end } = await made(t);
  page.append(...html("<textarea></textarea>").childNodes);
  const field = page.querySelector("textarea");
  field.value = "I think";
  field.focus();
  end();
  pass(20_000);
  assert.deepEqual(visited, []);
  field.blur();
  pass(8200);

  assert.deepEqual(visited, ["/watch/b/"]);
});

test("end without a next video counts nothing", async (t) => {
  const { screen, pass, end } = await made(t, { next: "" });
  end();
  pass(20_000);

  assert.equal(screen.hidden, false);
  assert.deepEqual(visited, []);
});

test("follow presses the button of the page and is offered once", async (t) => {
  const { page, part, pass, end, replay } = await made(t);
  let presses = 0;
  page.querySelector(".follow button").addEventListener("click", () => (presses += 1));
  end();
  assert.equal(part("end-follow").hidden, false);
  fire(part("end-follow"), "click");
  pass(20_000);
  page.querySelector(".follow button").setAttribute("value", "false");
  replay();
  end();

  assert.equal(presses, 1);
  assert.equal(part("end-follow").hidden, true);
});
