import assert from "node:assert/strict";
import test from "node:test";
import { elementFrom, install } from "#testing/dom";

install();
const { disableHidden } = await import("#ui/only-for");

test("fields of the chosen visibility are sent, those of hidden parts are not", () => {
  const form = elementFrom(`<form><input name="visibility" value="private" checked><input name="visibility" value="scheduled">
    <div data-only-for="password"><input name="password" value="x"></div>
    <div data-only-for="scheduled"><input name="publish_at"><input type="hidden"></div></form>`);
  const disabled = () => form.querySelectorAll("[data-only-for] input").map((field) => field.disabled);
  const [hidden, scheduled] = form.querySelectorAll('[name="visibility"]');

  disableHidden(form);
  assert.deepEqual(disabled(), [true, true, true]);

  Object.assign(hidden, { checked: false });
  Object.assign(scheduled, { checked: true });
  disableHidden(form);
  assert.deepEqual(disabled(), [true, false, false]);
});
