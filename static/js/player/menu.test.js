/** The settings menu under a keyboard; the page is replaced by elements that only know children and focus. */

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

const { Menu } = await import("#player/menu");

class FakeElement extends EventTarget {
  children = [];
  attributes = {};
  hidden = false;
  popover = null;
  clientHeight = 200;
  offsetHeight = 44;
  className = "";
  textContent = "";

  append = (...added) => this.children.push(...added);
  prepend = (...added) => this.children.unshift(...added);
  replaceChildren = (...now) => (this.children = now.map((child, at) => Object.assign(child, { offsetTop: at * 44 })));
  setAttribute = (name, value) => (this.attributes[name] = value);
  getAttribute = (name) => this.attributes[name] ?? null;
  hasAttribute = (name) => name in this.attributes;
  showPopover = () => {};
  hidePopover = () => {};
  focus = () => (document.activeElement = this);
  click = () => this.dispatchEvent(new Event("click"));
  matches = () => false;

  get label() {
    return this.children.map((child) => child.textContent).join("");
  }
}

/** Press a key where the focus is, and return whether the page was kept from acting on it. */
function press(element, key) {
  const event = { key, target: document.activeElement, isKept: false, preventDefault: () => (event.isKept = true), stopPropagation() {} };
  element.menu.onKey(event);
  return event.isKept;
}

let speed;
function begin({ isSmall = false } = {}) {
  globalThis.matchMedia = () => ({ matches: isSmall });
  const element = new FakeElement();
  element.hidden = true;
  const opener = new FakeElement();
  const item = (value) => ({ label: `${value}×`, isChosen: speed === value, act: () => (speed = value) });
  const groups = () => [
    { label: "Quality", icon: "quality", value: "720p", items: [] },
    { label: "Speed", icon: "speed", value: `${speed}×`, items: [0.5, 1, 1.5, 2].map(item) },
    { label: "Keys", icon: "keys", value: "?", act: () => (speed = -1) },
  ];
  element.menu = new Menu(element, opener, () => new FakeElement(), groups);
  return { element, opener, menu: element.menu };
}
const focused = () => document.activeElement.label;

beforeEach(() => {
  globalThis.document = { createElement: () => new FakeElement(), activeElement: null };
  speed = 1.5;
});

test("arrows walk around the list, and Home and End go to its ends", () => {
  const { element, menu } = begin();
  menu.open();
  const seen = [focused()];
  for (const key of ["ArrowDown", "ArrowDown", "ArrowDown", "ArrowUp", "Home", "End"]) {
    press(element, key);
    seen.push(focused());
  }
  const names = seen.map((label) => label.replace(/720p|1\.5×|\?/, ""));
  assert.deepEqual(names, ["Quality", "Speed", "Keys", "Quality", "Keys", "Quality", "Keys"]);
});

test("list opens at the chosen item and marks it", () => {
  const { element, menu } = begin();
  menu.open();
  press(element, "ArrowDown");
  press(element, "ArrowRight");
  assert.equal(focused(), "1.5×");
  assert.deepEqual(element.children.map((row) => row.attributes["aria-checked"]), [undefined, "false", "false", "true", "false"]);
  assert.ok(element.scrollTop > 0, "the chosen row is scrolled into view");
});

test("choice acts, closes and gives the focus back", () => {
  const { element, opener, menu } = begin();
  menu.open();
  press(element, "ArrowDown");
  press(element, "Enter");
  press(element, "ArrowDown");
  press(element, " ");
  assert.deepEqual([speed, menu.isOpen, opener.attributes["aria-expanded"]], [2, false, "false"]);
  assert.equal(document.activeElement, opener);
});

test("left goes back to the group one came from, and Escape closes", () => {
  const { element, menu } = begin();
  menu.open();
  press(element, "ArrowDown");
  press(element, "Enter");
  press(element, "ArrowLeft");
  assert.equal(focused(), "Speed1.5×");
  press(element, "Escape");
  assert.deepEqual([menu.isOpen, speed], [false, 1.5]);
});

test("Tab closes the menu and moves on, and keys of the player stay the player's", () => {
  const { element, opener, menu } = begin();
  menu.open();
  assert.equal(press(element, "m"), false);
  assert.equal(press(element, "Tab"), false);
  assert.deepEqual([menu.isOpen, document.activeElement === opener], [false, false]);
});

test("on a small screen the menu is a sheet above everything", () => {
  const { element, menu } = begin({ isSmall: true });
  menu.open();
  assert.equal(element.popover, "manual");
});

test("the menu opens at one group, and the same call closes it", () => {
  const { element, menu } = begin();

  menu.openAt("Speed");
  assert.equal(element.hidden, false);
  assert.equal(element.children[0].className, "back");
  assert.equal(element.children.length, 5);

  menu.openAt("Speed");
  assert.equal(element.hidden, true);
});
