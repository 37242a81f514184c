import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { elementFrom, fire, install, serve, settled } from "#testing/dom";

install();
const { UploadItem } = await import("#upload/item");
const unfinished = await import("#upload/unfinished");

const ROW = `<li>
  <span data-part="name"></span><span data-part="state"></span><span data-part="saved"></span><p data-part="draft"></p>
  <a data-part="watch" hidden></a><progress></progress>
  <button data-do="pause"></button><button data-do="resume"></button><button data-do="cancel"></button>
  <button data-do="retry"></button><button data-do="publish"></button>
  <form data-part="form"><span data-part="publish"></span>
    <input name="title"><textarea name="description"></textarea><select name="visibility" value="public"></select>
    <select name="category" value="music"></select><input name="tags"><input name="publish_at"><input type="checkbox" name="is_premiere">
  </form>
</li>`;
const PARTS = { part_size_bytes: 10, part_count: 2, parts: [] };

beforeEach(() => localStorage.clear());

/** Return the item of a file of 20 bytes, with the calls to the API. */
function made(answers = {}, { name = "My_first.film.mp4" } = {}) {
  const calls = serve({
    "POST videos/": () => ({ id: "v1", upload: PARTS }),
    "PATCH videos/v1/": () => ({}),
    "DELETE videos/v1/upload/": () => ({}),
    ...answers,
  });
  const file = Object.assign(new Blob(["x".repeat(20)], { type: "video/mp4" }), { name, lastModified: 5 });
  let freed = 0;
  const item = new UploadItem(elementFrom(ROW), file, {
    words: (word, values = {}) => [word, ...Object.values(values)].join(" "),
    watchUrl: "/watch/{id}/",
    onFree: () => (freed += 1),
  });
  const shown = () => item.element.querySelectorAll("[data-do]").filter((button) => !button.hidden).map((button) => button.dataset.do);
  const state = () => item.element.querySelector('[data-part="state"]').textContent;
  const press = (wanted) => fire(item.element.querySelector(`[data-do="${wanted}"]`), "click");
  return { item, file, calls, shown, state, press, freed: () => freed, fields: item.form.elements };
}

/** Wait until an item is in a state. */
async function until(item, wanted) {
  for (let turn = 0; item.state !== wanted && turn < 500; turn += 1) await settled();
  assert.equal(item.state, wanted);
}

test("new item waits, with the file's name as its title", () => {
  const { item, shown, state, fields } = made();

  assert.equal(item.element.dataset.state, "waiting");
  assert.equal(fields.title.value, "My first.film");
  assert.match(item.element.querySelector('[data-part="name"]').textContent, /^My_first\.film\.mp4 · 20 byte/);
  assert.deepEqual(shown(), ["cancel", "publish"]);
  assert.equal(state(), "waiting");
});

test("fields of an unpublished video are private, with at most twelve tags", () => {
  const { item, fields } = made();
  fields.tags.value = "a, b，c、 ,d,e,f,g,h,i,j,k,l,m,n";
  fields.title.value = "  ";

  const { tags, ...others } = item.fields();

  assert.deepEqual(others, { title: "My first.film", description: "", visibility: "private", category: "music" });
  assert.deepEqual(tags, ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"]);
});

test("video is created with its fields and remembered until it is complete", async () => {
  const { item, file, calls } = made();

  const transfer = await item.open();

  const [name, body] = calls[0];
  assert.equal(name, "POST videos/");
  assert.deepEqual([body.filename, body.size_bytes, body.content_type, body.visibility], ["My_first.film.mp4", 20, "video/mp4", "private"]);
  assert.equal(transfer.partCount, 2);
  assert.equal(unfinished.of(file).id, "v1");
});

test("upload of the same file goes on with the stored parts", async () => {
  const first = made();
  await first.item.open();
  const { item, calls } = made({
    "GET videos/v1/upload/": () => ({ part_size_bytes: 10, part_count: 2, uploaded: [{ number: 1, etag: "a" }] }),
    "GET videos/v1/": () => ({ title: "Kept", description: "d", category: "film", visibility: "public" }),
  });

  const transfer = await item.open();

  assert.equal(item.form.elements.title.value, "Kept");
  assert.equal(item.isPublished, true);
  assert.deepEqual([...transfer.etags], [[1, "a"]]);
  assert.deepEqual(calls.map(([name]) => name), ["GET videos/v1/upload/", "GET videos/v1/"]);
});

test("resumed upload of a premiere changes nothing by itself", async () => {
  const first = made();
  await first.item.open();
  const { item, calls } = made({
    "GET videos/v1/upload/": () => ({ part_size_bytes: 10, part_count: 2, uploaded: [] }),
    "GET videos/v1/": () => ({ title: "Kept", description: "d", category: "film", visibility: "public", publish_at: "2099-01-02T10:00:30Z", is_premiere: true }),
  });
  await item.open();

  await item.save();

  assert.equal(item.form.elements.visibility.value, "scheduled");
  assert.equal(item.form.elements.is_premiere.checked, true);
  assert.deepEqual(calls.map(([name]) => name), ["GET videos/v1/upload/", "GET videos/v1/"]);
});

test("upload that the server has forgotten begins anew", async () => {
  const first = made();
  await first.item.open();
  const { item, calls } = made();

  await item.open();

  assert.deepEqual(calls.map(([name]) => name), ["GET videos/v1/upload/", "POST videos/"]);
});

test("failure of the server while resuming does not throw the upload away", async () => {
  const first = made();
  await first.item.open();
  const { item, file } = made({ "GET videos/v1/upload/": () => ({ status: 503 }) });

  await assert.rejects(item.open());

  assert.equal(unfinished.of(file).id, "v1");
});

test("refused creation fails with the sentence of the server and can be repeated", async () => {
  const refusal = { status: 400, errors: [{ code: "quota", detail: "Your quota is used up." }] };
  const { item, state, shown, press, freed, calls } = made({ "POST videos/": () => refusal });

  await item.start();

  assert.equal(item.state, "failed");
  assert.equal(state(), "Your quota is used up.");
  assert.deepEqual(shown(), ["cancel", "retry"]);
  assert.equal(freed(), 1, "the next file may begin");
  press("retry");
  await until(item, "failed");
  assert.equal(calls.filter(([name]) => name === "POST videos/").length, 2);
});

test("pause stops the transfer, and an answer that comes late does not go on", async () => {
  let answer = null;
  const { item, press, shown, state } = made();
  item.open = () => new Promise((resolve) => (answer = resolve));
  let runs = 0;
  const started = item.start();
  press("pause");

  answer({ run: async () => (runs += 1), halt: () => {} });
  await started;

  assert.equal(runs, 0);
  assert.deepEqual(shown(), ["resume", "cancel", "publish"]);
  assert.equal(state(), "paused 0");
});

test("progress of the transfer is shown in percent, and later with speed and remaining time", (context) => {
  let now_ms = 0;
  context.mock.method(performance, "now", () => now_ms);
  const { item, state } = made();
  item.enter("uploading");

  item.showSent(5);
  assert.equal(state(), "uploading-first 25");
  assert.equal(item.element.querySelector("progress").value, "25");
  for (const sent of [6, 7, 8, 9, 10]) {
    now_ms += 1000;
    item.showSent(sent);
  }

  assert.match(state(), /^uploading 50 /);
});

test("progress after a pause is not shown", () => {
  const { item, state } = made();
  item.enter("paused");

  item.showSent(10);

  assert.equal(state(), "paused 0");
});

test("encode shows its progress, and a link as soon as the video plays", () => {
  const { item, state } = made();
  item.id = "v1";
  const link = item.element.querySelector('[data-part="watch"]');
  const encoded = (more) => item.onState({ status: "processing", progress_percent: 30, is_playable: false, failure: null, ...more });

  encoded({});
  assert.deepEqual([state(), link.hidden], ["processing 30", true]);
  encoded({ is_playable: true });
  assert.deepEqual([state(), link.hidden, link.href], ["playable 30", false, "/watch/v1/"]);
  encoded({ estimate_s: 240 });
  assert.equal(state(), "processing 30");
  encoded({ is_playable: true, estimate_s: 240 });
  assert.equal(state(), "playable 30 · rest 4 minutes");
  encoded({ queue_ahead: 3 });
  assert.equal(state(), "processing 30 · ahead 3");
  encoded({ waiting_for: "storage" });
  assert.equal(state(), "waiting-storage");
  encoded({ status: "ready", progress_percent: 100, is_playable: true });
  assert.equal(state(), "ready 100");
  assert.equal(item.element.dataset.state, "ready");
});

for (const [code, canRetry] of Object.entries({ storage_failed: true, encode_failed: true, not_media: false })) {
  test(`encode that failed with ${code} ${canRetry ? "can" : "cannot"} be retried`, () => {
    const { item, shown, state } = made();

    item.onState({ status: "failed", progress_percent: 0, is_playable: false, failure: { code, detail: "It failed." } });

    assert.equal(state(), "It failed.");
    assert.equal(shown().includes("retry"), canRetry);
  });
}

test("publishing saves the chosen visibility", async () => {
  const { item, calls, press, shown } = made();
  await item.open();
  calls.length = 0;

  press("publish");
  await settled();

  assert.deepEqual(calls.map(([name, body]) => [name, body.visibility]), [["PATCH videos/v1/", "public"]]);
  assert.ok(!shown().includes("publish"));
  assert.equal(item.element.querySelector('[data-part="saved"]').textContent, "saved");
});

test("schedule is saved with its moment, and needs one in the future", async () => {
  const { item, calls, press, shown, fields } = made();
  await item.open();
  calls.length = 0;
  fields.visibility.value = "scheduled";
  const note = () => item.element.querySelector('[data-part="saved"]').textContent;

  press("publish");
  await settled();
  assert.deepEqual([calls, note(), shown().includes("publish")], [[], "moment", true]);

  fields.publish_at.value = "2099-01-02T10:00";
  press("publish");
  await settled();
  assert.deepEqual(calls, [["PATCH videos/v1/", { publish_at: new Date("2099-01-02T10:00").toISOString(), is_premiere: false }]]);
  assert.match(note(), /^scheduled .*2099/);
  assert.ok(!shown().includes("publish"));
});

test("video whose publication is refused stays a draft", async () => {
  const answers = { "PATCH videos/v1/": () => ({ status: 400, errors: [{ code: "password_missing", detail: "Set a password." }] }) };
  const { item, press, shown } = made(answers);
  await item.open();

  press("publish");
  await settled();

  assert.ok(shown().includes("publish"));
  assert.equal(item.element.querySelector('[data-part="draft"]').hidden, false);
});

test("fields are saved a moment after the last change, and once", async (context) => {
  const { item, calls, fields } = made();
  await item.open();
  calls.length = 0;
  context.mock.timers.enable({ apis: ["setTimeout"] });

  fields.title.value = "A";
  fire(item.form, "input");
  context.mock.timers.tick(400);
  fields.title.value = "AB";
  fire(item.form, "input");
  context.mock.timers.tick(700);
  context.mock.timers.reset();
  await settled();

  assert.deepEqual(calls.map(([, body]) => body.title), ["AB"]);
});

test("refused change is shown and tried again with the next save", async () => {
  const answers = { "PATCH videos/v1/": () => ({ status: 400, errors: [{ code: "invalid", detail: "Too long." }] }) };
  const { item, fields, calls } = made(answers);
  await item.open();
  fields.title.value = "B";

  await item.save();
  assert.equal(item.element.querySelector('[data-part="saved"]').textContent, "Too long.");
  await item.save();

  assert.equal(calls.filter(([name]) => name === "PATCH videos/v1/").length, 2);
});

test("changes are sent one after the other, and the newest wins", async () => {
  const { item, calls, fields } = made();
  await item.open();
  calls.length = 0;
  const answers = [];
  const { fetch } = globalThis;
  globalThis.fetch = async (...request) => {
    const answer = await fetch(...request);
    await new Promise((resolve) => answers.push(resolve));
    return answer;
  };

  fields.title.value = "One";
  item.save();
  await settled();
  fields.title.value = "Two";
  const saved = item.save();
  await settled();
  assert.deepEqual(calls.map(([, body]) => body.title), ["One"], "the second change waits for the first answer");
  answers[0]();
  await settled();
  answers[1]();
  await saved;

  assert.deepEqual(calls.map(([, body]) => body.title), ["One", "Two"]);
});

test("cancelled upload is asked about, deleted and forgotten", async () => {
  const { item, file, calls, press, freed } = made();
  await item.open();
  item.enter("uploading");
  const asked = [];
  window.confirm = (sentence) => asked.push(sentence) > 1;

  press("cancel");
  assert.equal(item.state, "uploading", "the person said no");
  press("cancel");
  await settled();

  assert.deepEqual(asked, ["cancel-sure", "cancel-sure"]);
  assert.equal(item.state, "gone");
  assert.equal(unfinished.of(file), null);
  assert.ok(calls.some(([name]) => name === "DELETE videos/v1/upload/"));
  assert.equal(freed(), 1);
});
