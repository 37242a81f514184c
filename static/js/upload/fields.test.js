import assert from "node:assert/strict";
import test from "node:test";
import { elementFrom, install } from "#testing/dom";

install();
const { changesOf, fieldsOf, lacksMoment } = await import("#upload/fields");

const FORM = `<form><input name="title" value=" A film "><textarea name="description"></textarea>
  <select name="visibility"></select><input name="password" value="secret"><select name="category" value="music"></select>
  <input name="tags"><input name="publish_at"><input type="checkbox" name="is_premiere"></form>`;

/** Return the fields of a published form with these values. */
function published(values) {
  const form = elementFrom(FORM);
  for (const [name, value] of Object.entries(values)) Object.assign(form.elements[name], typeof value === "boolean" ? { checked: value } : { value });
  return fieldsOf(form, { isPublished: true, title: "file" });
}

test("scheduled row has its moment in UTC, other rows have none", () => {
  const fields = published({ visibility: "scheduled", publish_at: "2099-01-02T10:00", is_premiere: true });

  assert.equal(fields.publish_at, new Date("2099-01-02T10:00").toISOString());
  assert.equal(fields.is_premiere, true);
  assert.equal(published({ visibility: "public", publish_at: "2099-01-02T10:00" }).publish_at, undefined);
});

test("password is sent with its visibility only", () => {
  assert.equal(published({ visibility: "password" }).password, "secret");
  assert.equal(published({ visibility: "public" }).password, undefined);
});

test("schedule needs a moment in the future", () => {
  assert.equal(lacksMoment(published({ visibility: "scheduled" })), true);
  assert.equal(lacksMoment(published({ visibility: "scheduled", publish_at: "2020-01-01T10:00" })), true);
  assert.equal(lacksMoment(published({ visibility: "scheduled", publish_at: "2099-01-02T10:00" })), false);
  assert.equal(lacksMoment(published({ visibility: "public" })), false);
});

test("only changed fields are saved", () => {
  const before = published({ visibility: "public" });

  assert.deepEqual(changesOf(before, before), {});
  assert.deepEqual(changesOf({ ...before, title: "Other" }, before), { title: "Other" });
  assert.deepEqual(changesOf({ ...before, tags: ["a"] }, { ...before, tags: ["a"] }), {});
});

test("schedule is sent as a whole once, and a visibility ends it", () => {
  const draft = { ...published({ visibility: "public" }), visibility: "private" };
  const scheduled = published({ visibility: "scheduled", publish_at: "2099-01-02T10:00" });

  const moment = { publish_at: scheduled.publish_at, is_premiere: false };
  assert.deepEqual(changesOf(scheduled, draft), moment);
  assert.deepEqual(changesOf({ ...scheduled, title: "Later" }, scheduled), { title: "Later" });
  assert.deepEqual(changesOf({ ...scheduled, is_premiere: true }, scheduled), { ...moment, is_premiere: true });
  assert.deepEqual(changesOf(draft, scheduled), { visibility: "private" });
});
