import assert from "node:assert/strict";
import { test } from "node:test";

import { elementFrom, fire, install } from "#testing/dom";

install();
let observed;
globalThis.IntersectionObserver = /** @type {any} */ (class {
  constructor(act) {
    observed = { see: () => act([{ isIntersecting: true }]), isOver: false };
  }

  observe() {}

  disconnect() {
    observed.isOver = true;
  }
});
globalThis.matchMedia = /** @type {any} */ (() => ({ matches: false }));
customElements.whenDefined ??= async () => {};
await import("#player/chapter-list");

const LIST = `<chapter-list><ol data-part="strip">
  <li><a data-seek="0.0"><span data-still hidden></span></a></li>
  <li><a data-seek="65.0"><span data-still hidden></span></a></li>
</ol></chapter-list>`;

function made() {
  const player = elementFrom("<video-player><video></video></video-player>");
  const drawn = [];
  Object.assign(player, {
    currentTime: 0,
    storyboard: { open: async () => drawn.push("open"), at: (time) => (time ? { time } : null), draw: (_element, still) => drawn.push(still.time) },
  });
  const list = elementFrom(LIST);
  const strip = list.querySelector("[data-part=strip]");
  const matches = strip.matches.bind(strip);
  strip.matches = (selectors, root) => !selectors.includes(":hover") && matches(selectors, root);
  Object.assign(strip, { clientWidth: 300, offsetLeft: 10, scrolls: [], scrollTo: ({ left }) => strip.scrolls.push(left) });
  list.querySelectorAll("a").forEach((link, at) => Object.assign(link, { offsetLeft: 10 + at * 400, offsetWidth: 160 }));
  document.body.replaceChildren();
  document.body.append(player, list);
  const links = [...list.querySelectorAll("a")];
  const play = (time) => {
    player.currentTime = time;
    fire(player.querySelector("video"), "timeupdate", { bubbles: false });
  };
  return { player, list, strip, links, drawn, play };
}

test("the chapter that plays is marked, and the strip shows it", () => {
  const { links, strip, play } = made();

  play(3);
  assert.deepEqual(links.map((link) => link.getAttribute("aria-current")), ["true", null]);
  play(64.95);

  assert.deepEqual(links.map((link) => link.getAttribute("aria-current")), [null, "true"]);
  assert.deepEqual(strip.scrolls, [-70, 330]);
});

test("stills are drawn once the list is in sight", async () => {
  const { list, links, drawn } = made();
  assert.deepEqual(drawn, []);

  observed.see();
  await new Promise((done) => setTimeout(done));

  assert.deepEqual(drawn, ["open", 65]);
  assert.equal(observed.isOver, true);
  assert.deepEqual(links.map((link) => link.querySelector("[data-still]").hidden), [true, false]);
  list.remove();
});
