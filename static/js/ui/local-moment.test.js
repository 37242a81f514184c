import assert from "node:assert/strict";
import test from "node:test";
import { fire, html, install } from "#testing/dom";

install();
await import("#ui/local-moment");

/** Return the field that a person sees, and the one that is sent. */
function made(value) {
  const page = html(`<local-moment><input name="publish_at" value="${value}"><span data-part="zone"></span></local-moment>`);
  const moment = page.firstElementChild;
  document.body.replaceChildren(moment);
  const [field, sent] = moment.querySelectorAll("input");
  return { field, sent };
}

test("moment that nobody edits is sent as it came, with its seconds", () => {
  const { field, sent } = made("2026-12-01T20:05:30.000Z");

  assert.equal(sent.name, "publish_at");
  assert.equal(sent.value, "2026-12-01T20:05:30.000Z");
  assert.equal(new Date(field.value).toISOString(), "2026-12-01T20:05:00.000Z");
});

test("moment that is over does not keep its form from being sent", () => {
  const { field } = made("2020-01-01T10:00");

  assert.equal(field.min, undefined, "the server checks the moment");
});

test("edited moment is sent as UTC", () => {
  const { field, sent } = made("2026-12-01T20:05");

  field.value = "2026-12-02T08:00";
  fire(field, "input");

  assert.equal(sent.value, new Date("2026-12-02T08:00").toISOString());
});
