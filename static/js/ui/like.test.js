import assert from "node:assert/strict";
import { test } from "node:test";

import { fire, html, install, serve, settled } from "#testing/dom";

install();
await import("#ui/like");

const BUTTON = `<div><like-button data-video="v1"><button aria-pressed="false"></button><span class="number" title="1,999">2K</span></like-button>
  <div data-toast></div></div>`;

/** Return a button of a video with 1,999 likes, with the calls to the API. */
function made(answers = {}) {
  const calls = serve({ "PUT videos/v1/like/": () => null, "DELETE videos/v1/like/": () => null, ...answers });
  const page = html(BUTTON).firstElementChild;
  document.body.replaceChildren(page);
  Object.assign(page.querySelector("[data-toast]"), { popover: "manual" });
  const button = page.querySelector("button");
  const state = () => [button.getAttribute("aria-pressed"), page.querySelector(".number").title, page.querySelector(".number").textContent];
  return { calls, state, press: () => fire(button, "click"), toast: page.querySelector("[data-toast]") };
}

test("like is shown at once and counted exactly", async () => {
  const { calls, state, press } = made();

  press();
  assert.deepEqual(state(), ["true", "2,000", "2K"]);
  await settled();

  assert.deepEqual(calls.map(([name]) => name), ["PUT videos/v1/like/"]);
});

test("second press takes the like back", async () => {
  const { calls, state, press } = made();

  press();
  await settled();
  press();
  await settled();

  assert.deepEqual(state(), ["false", "1,999", "2K"]);
  assert.deepEqual(calls.map(([name]) => name), ["PUT videos/v1/like/", "DELETE videos/v1/like/"]);
});

test("quick presses are sent one after the other", async () => {
  const { calls, press } = made();
  const answers = [];
  const { fetch } = globalThis;
  globalThis.fetch = async (...request) => {
    const answer = await fetch(...request);
    await new Promise((resolve) => answers.push(resolve));
    return answer;
  };

  press();
  press();
  await settled();
  assert.equal(calls.length, 1, "the second waits for the answer to the first");
  answers[0]();
  await settled();

  assert.deepEqual(calls.map(([name]) => name), ["PUT videos/v1/like/", "DELETE videos/v1/like/"]);
  answers[1]();
});

test("refused like is undone, and an error is shown", async () => {
  const refusal = { status: 403, errors: [{ code: "suspended", detail: "You are suspended.", attr: null }] };
  const { state, press, toast } = made({ "PUT videos/v1/like/": () => refusal });

  press();
  await settled();

  assert.deepEqual(state(), ["false", "1,999", "2K"]);
  assert.equal(toast.textContent, "You are suspended.");
});
