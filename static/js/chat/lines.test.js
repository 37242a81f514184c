import assert from "node:assert/strict";
import { test } from "node:test";

import { elementFrom, fire, install } from "#testing/dom";

install();
const { Lines } = await import("#chat/lines");

const ROOM = '<div><div data-part="scroll"><div data-part="log"></div></div><button data-part="pill" hidden><span></span></button></div>';

/** Return lines at their end, of a room whose reader has the rights of the options. */
function made({ isModerator = false, canReport = true } = {}) {
  const room = elementFrom(ROOM);
  const [scroll, log, pill] = ["scroll", "log", "pill"].map((name) => room.querySelector(`[data-part="${name}"]`));
  Object.assign(scroll, { scrollTop: 0, scrollHeight: 0, clientHeight: 0 });
  const lines = new Lines({
    scroll, log, pill,
    words: (name, values = {}) => [name, ...Object.values(values)].join(" "),
    badge: (name) => (name === "report" ? null : elementFrom(`<i class="badge-${name}"></i>`)),
    canModerate: () => isModerator,
    canReport: () => canReport,
  });
  return { lines, scroll, log, pill };
}

const message = (id, { text = `text ${id}`, username = "ada", ...more } = {}) => ({
  id, seq: 1, text, user: { username, display_name: "Ada", badges: [] }, sent_at: "2026-01-01T10:00:00Z", ...more,
});
const texts = (log) => log.children.map((line) => line.querySelector(".chat-text").textContent);

/** Move the reader away from the end of the log. */
function readFurtherUp({ scroll }) {
  Object.assign(scroll, { scrollTop: 0, scrollHeight: 1000, clientHeight: 100 });
  fire(scroll, "scroll");
}

test("line has the name, the text, the time and a link to the channel", () => {
  const { lines } = made();

  const line = lines.line(message("m1", { user: { username: "ada l", display_name: "", badges: ["moderator"] } }));

  assert.equal(line.dataset.id, "m1");
  assert.equal(line.dataset.username, "ada l");
  assert.equal(line.querySelector(".chat-name").textContent, "ada l");
  assert.equal(line.querySelector(".chat-name").href, "/@ada%20l/");
  assert.equal(line.querySelector("time").dateTime, "2026-01-01T10:00:00.000Z");
  assert.ok(line.querySelector(".badge-moderator"));
});

test("markup in a message is text", () => {
  const { lines } = made();

  const line = lines.line(message("m1", { text: "<img src=x> & more" }));

  assert.equal(line.querySelector("img"), null);
  assert.equal(line.querySelector(".chat-text").textContent, "<img src=x> & more");
});

test("link in a message opens elsewhere and passes nothing on", () => {
  const { lines } = made();

  const link = lines.line(message("m1", { text: "see https://example.org/a now" })).querySelector("a.link");

  assert.equal(link.href, "https://example.org/a");
  assert.equal(link.target, "_blank");
  assert.match(link.rel, /noopener/);
  assert.match(link.rel, /nofollow/);
});

test("moderator gets a menu on a line, a reader a report button, and its sender neither", () => {
  assert.equal(made({ isModerator: true }).lines.line(message("m1")).querySelector("button").getAttribute("aria-label"), "actions Ada");
  const report = made().lines.line(message("m1")).querySelector("button");
  assert.deepEqual([report.dataset.report, report.dataset.reportId], ["chat_message", "m1"]);
  assert.equal(made({ canReport: false }).lines.line(message("m1")).querySelector("button"), null);
});

test("line on its way has no button", () => {
  const { lines } = made({ isModerator: true });

  const line = lines.line({ text: "hi", user: { username: "ada", display_name: "Ada", badges: [] } }, { isPending: true });

  assert.ok(line.classList.contains("is-pending"));
  assert.equal(line.querySelector("button"), null);
});

test("new lines are shown at once to a reader at the end", () => {
  const { lines, log, pill } = made();

  lines.add([lines.line(message("m1")), lines.line(message("m2"))]);

  assert.deepEqual(texts(log), ["text m1", "text m2"]);
  assert.equal(pill.hidden, true);
});

test("new lines wait behind a button while somebody reads further up", () => {
  const room = made();
  const { lines, log, pill } = room;
  lines.add([lines.line(message("m1"))]);
  readFurtherUp(room);

  lines.add([lines.line(message("m2")), lines.line(message("m3"))]);

  assert.deepEqual(texts(log), ["text m1"]);
  assert.equal(pill.hidden, false);
  assert.equal(pill.textContent, "new-many 2");
  fire(pill, "click");
  assert.deepEqual(texts(log), ["text m1", "text m2", "text m3"]);
  assert.equal(pill.hidden, true);
});

test("log and waiting lines are bounded, and the newest stay", () => {
  const room = made();
  const { lines, log, pill } = room;
  const many = Array.from({ length: 250 }, (_, at) => lines.line(message(`m${at}`)));

  lines.add(many.slice(0, 150));
  lines.add(many.slice(150));
  assert.equal(log.childElementCount, 200);
  assert.equal(log.lastElementChild.dataset.id, "m249");

  readFurtherUp(room);
  lines.add(Array.from({ length: 250 }, (_, at) => lines.line(message(`n${at}`))));
  assert.equal(pill.textContent, "new-many 200+");
  lines.release();
  assert.equal(log.childElementCount, 200);
  assert.equal(log.lastElementChild.dataset.id, "n249");
});

test("removed message loses its text, shown or waiting", () => {
  const room = made();
  const { lines, log } = room;
  lines.add([lines.line(message("m1"))]);
  readFurtherUp(room);
  lines.add([lines.line(message("m2"))]);

  lines.remove("m1");
  lines.remove("m2");
  lines.release();

  assert.deepEqual(texts(log), ["removed", "removed"]);
});

test("removed person loses all messages, and others keep theirs", () => {
  const { lines, log } = made();
  lines.add([lines.line(message("m1")), lines.line(message("m2", { username: "bob" })), lines.line(message("m3"))]);

  lines.clearUser("ada");

  assert.deepEqual(texts(log), ["cleared", "text m2", "cleared"]);
});

test("restored message stands where it stood", () => {
  const { lines, log } = made();
  lines.add([lines.line(message("m1")), lines.line(message("m2"))]);
  lines.remove("m1");

  lines.restore(message("m1"));

  assert.deepEqual(texts(log), ["text m1", "text m2"]);
  assert.equal(log.firstElementChild.classList.contains("is-removed"), false);
});

test("restoring a message that was not removed changes nothing", () => {
  const { lines, log } = made();
  lines.add([lines.line(message("m1"))]);
  const before = log.firstElementChild;

  lines.restore(message("m1", { text: "other" }));

  assert.equal(log.firstElementChild, before);
});
