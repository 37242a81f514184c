import assert from "node:assert/strict";
import { mock, test } from "node:test";

import { fire, html, install } from "#testing/dom";

install();
const { toast } = await import("#ui/toast");

function made() {
  const element = html("<div data-toast></div>").firstElementChild;
  document.body.replaceChildren(element);
  const left = mock.fn();
  Object.assign(element, { popover: "manual", hidePopover: left });
  return { element, left };
}

test("action of a toast runs once and ends it", () => {
  const { element, left } = made();
  const act = mock.fn();

  toast("Hidden", { label: "Undo", act });
  const button = element.querySelector("button");
  assert.equal(element.textContent, "HiddenUndo");
  fire(button, "click");

  assert.equal(act.mock.callCount(), 1);
  assert.equal(left.mock.callCount(), 1);
});

test("next sentence has no action of the one before", () => {
  const { element } = made();

  toast("Hidden", { label: "Undo", act: () => {} });
  toast("Saved");

  assert.equal(element.textContent, "Saved");
  assert.equal(element.querySelector("button"), null);
});
