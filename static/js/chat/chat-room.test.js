import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";

import { fire, html, install, serve } from "#testing/dom";

install();

/** A socket whose server is the test. */
class FakeSocket extends EventTarget {
  /** @type {FakeSocket[]} */
  static opened = [];
  readyState = 0;
  sent = [];

  constructor(url) {
    super();
    this.url = url;
    FakeSocket.opened.push(this);
  }

  open() {
    this.readyState = 1;
    this.dispatchEvent(new Event("open"));
  }

  receive(frame) {
    this.dispatchEvent(Object.assign(new Event("message"), { data: JSON.stringify(frame) }));
  }

  send(data) {
    this.sent.push(JSON.parse(data));
  }

  close(code = 1000) {
    this.readyState = 3;
    this.dispatchEvent(Object.assign(new Event("close"), { code }));
  }
}
globalThis.WebSocket = /** @type {any} */ (FakeSocket);
await import("#chat/chat-room");

const WORDS = ["reconnecting", "banned", "gone", "skipped", "slow", "allowed", "not-sent", "error-slow", "removed", "cleared", "not-connected", "too-long", "wait", "colon", "actions", "report"];
const ROOM = (attributes) => `<chat-room data-username="eve" data-path="/ws/live/eve/chat/" ${attributes}>
  <template data-words>${WORDS.map((name) => `<dd data-word="${name}">${name} {n}</dd>`).join("")}</template>
  <template data-badges><i data-badge="moderator"></i></template>
  <p data-part="quiet"></p><p data-part="connection" hidden><span data-part="sentence"></span></p>
  <span data-part="mode-slow_s" hidden><span></span></span><span data-part="mode-followers_only" hidden></span><span data-part="mode-emotes_only" hidden></span>
  <div data-part="scroll"><div data-part="log"></div></div><button data-part="pill" hidden><span></span></button>
  <form data-part="form"><textarea></textarea><span data-part="counter"></span><p data-part="post-error" hidden></p><p data-part="wait" hidden></p><button type="submit"></button></form>
</chat-room>`;
const HELLO = { type: "hello", room: "eve", seq: 1, mode: { slow_s: 0 }, you: { username: "ada", display_name: "Ada", badges: [] }, history: [] };

const message = (id, more = {}) => ({
  type: "message", id, seq: 2, text: `text ${id}`, user: { username: "bob", display_name: "Bob", badges: [] }, sent_at: "2026-01-01T10:00:00Z", ...more,
});
const tick = (seq, ...events) => ({ type: "tick", seq, events });

/** Return a room of somebody who is signed in, with its open socket and the events on the document. */
function made({ attributes = 'data-ticket="t1" data-me="ada" data-name="Ada" data-longest="100"' } = {}) {
  const room = html(ROOM(attributes)).firstElementChild;
  Object.assign(room.querySelector('[data-part="scroll"]'), { scrollTop: 0, scrollHeight: 0, clientHeight: 0 });
  const heard = [];
  for (const name of ["chat-message", "chat-removed", "viewer-count", "live-status", "stream-news", "chat-connection"]) {
    document.addEventListener(name, ({ detail }) => heard.push([name, detail]));
  }
  document.body.replaceChildren(room);
  const socket = FakeSocket.opened.at(-1);
  socket?.open();
  const shown = (name) => room.querySelector(`[data-part="${name}"]`);
  const texts = () => shown("log").children.map((line) => (line.querySelector(".chat-text") ?? line).textContent);
  const post = (text) => {
    room.querySelector("textarea").value = text;
    fire(shown("form"), "submit");
    return socket.sent.at(-1)?.nonce;
  };
  return { room, socket, heard, shown, texts, post };
}

beforeEach(() => {
  install();
  globalThis.WebSocket = /** @type {any} */ (FakeSocket);
  FakeSocket.opened = [];
  mock.timers.enable({ apis: ["setTimeout", "setInterval"] });
});
afterEach(() => {
  document.body.replaceChildren();
  mock.timers.reset();
});

/** Let promises take place while timers stand still. */
const answered = () => new Promise((resolve) => setImmediate(resolve));

test("room connects with its ticket and shows the history", () => {
  const { socket, texts, heard } = made();
  socket.receive({ ...HELLO, history: [message("m1"), message("m2")] });

  assert.equal(socket.url, "wss://site.test/ws/live/eve/chat/?ticket=t1");
  assert.deepEqual(texts(), ["text m1", "text m2"]);
  assert.ok(!heard.some(([name]) => name === "chat-message"), "history does not fly over the frames");
});

test("new message is shown and published to the page", () => {
  const { socket, texts, heard, shown } = made();
  socket.receive(HELLO);

  socket.receive(tick(2, message("m1")));

  assert.deepEqual(texts(), ["text m1"]);
  assert.deepEqual(heard.at(-1), ["chat-message", { id: "m1", username: "bob", text: "text m1", isOwn: false }]);
  assert.equal(shown("quiet"), null);
});

test("own message is shown at once and replaced by the room's", () => {
  const { socket, texts, post, shown, heard } = made();
  socket.receive(HELLO);

  const nonce = post("hello");
  assert.deepEqual(socket.sent, [{ type: "say", text: "hello", nonce }]);
  assert.deepEqual(texts(), ["hello"]);
  assert.ok(shown("log").firstElementChild.classList.contains("is-pending"));
  socket.receive(tick(2, message("m1"), message("m2", { text: "hello", nonce, user: { username: "ada", display_name: "Ada", badges: [] } })));

  assert.deepEqual(texts(), ["text m1", "hello"]);
  assert.equal(shown("log").querySelector(".is-pending"), null);
  assert.equal(heard.at(-1)[1].isOwn, true);
});

test("refused message comes back into the box with its reason", () => {
  const { socket, texts, post, room, shown } = made();
  socket.receive(HELLO);
  const nonce = post("hello");

  socket.receive({ type: "error", code: "slow", detail: "Slow.", nonce, retry_after_s: 7.2 });

  assert.deepEqual(texts(), []);
  assert.equal(room.querySelector("textarea").value, "hello");
  assert.equal(shown("post-error").textContent, "error-slow 8");
  assert.equal(shown("wait").textContent, "wait 8");
});

test("unknown refusal is shown in the words of the server", () => {
  const { socket, post, shown } = made();
  socket.receive(HELLO);

  socket.receive({ type: "error", code: "new_code", detail: "Something new.", nonce: post("hello") });

  assert.equal(shown("post-error").textContent, "Something new.");
});

test("message without an answer comes back after a while", () => {
  const { socket, texts, post, room, shown } = made();
  socket.receive(HELLO);
  post("hello");

  mock.timers.tick(60_000);

  assert.deepEqual(texts(), []);
  assert.equal(room.querySelector("textarea").value, "hello");
  assert.match(shown("post-error").textContent, /^not-sent/);
});

test("text is not sent while there is no connection", () => {
  const { socket, post, room, shown } = made();
  socket.readyState = 3;

  post("hello");

  assert.deepEqual(socket.sent, []);
  assert.equal(room.querySelector("textarea").value, "hello");
  assert.match(shown("post-error").textContent, /^not-connected/);
});

test("slow mode counts down after each message, and is shown", () => {
  const { socket, post, shown } = made();
  socket.receive({ ...HELLO, mode: { slow_s: 5 } });
  assert.deepEqual([shown("mode-slow_s").hidden, shown("mode-slow_s").textContent], [false, "slow 5"]);

  post("hello");

  assert.equal(shown("wait").textContent, "wait 5");
  assert.equal(shown("mode-emotes_only").hidden, true);
});

test("removed messages lose their text, and the page receives their ids", () => {
  const { socket, texts, heard } = made();
  socket.receive({ ...HELLO, history: [message("m1"), message("m2"), message("m3", { user: { username: "eve", display_name: "", badges: [] } })] });

  socket.receive(tick(5, { type: "message_deleted", id: "m3" }));
  assert.deepEqual(heard.at(-1), ["chat-removed", { id: "m3" }]);
  socket.receive(tick(6, { type: "user_cleared", username: "bob" }));

  assert.deepEqual(texts().map((text) => text.split(" ")[0]), ["cleared", "cleared", "removed"]);
  assert.deepEqual(heard.at(-1), ["chat-removed", { username: "bob" }]);
});

test("audience, status and news go to the page", () => {
  const { socket, heard } = made();
  socket.receive({ ...HELLO, viewer_count: 12, status: "live" });
  socket.receive(tick(2, { type: "viewers", count: 13 }));

  const published = heard.filter(([name]) => name === "viewer-count" || name === "live-status");

  assert.deepEqual(published.map(([name, detail]) => [name, detail.count ?? detail.status]), [["viewer-count", 12], ["live-status", "live"], ["viewer-count", 13]]);
});

test("lost connection is shown after a moment, and gone when it is back", () => {
  const { socket, shown, room, heard } = made();
  socket.receive(HELLO);
  assert.ok(room.classList.contains("is-open"));

  socket.close(1006);
  assert.deepEqual(heard.at(-1), ["chat-connection", { isOpen: false }]);
  assert.equal(shown("connection").hidden, true, "a short interruption is not shown");
  mock.timers.tick(10_000);

  assert.equal(shown("connection").hidden, false);
  assert.ok(!room.classList.contains("is-open"));
});

test("reader who is signed out asks for no ticket", async () => {
  const calls = serve({});
  made({ attributes: "" });
  await answered();

  assert.deepEqual(calls, []);
  assert.equal(FakeSocket.opened.at(-1).url, "wss://site.test/ws/live/eve/chat/");
});

test("banned person cannot write any more and goes on reading", async () => {
  const calls = serve({});
  const { socket, room, shown } = made();
  socket.receive(HELLO);

  socket.close(4003);
  await answered();

  assert.equal(room.querySelector("textarea").disabled, true);
  assert.match(shown("post-error").textContent, /^banned/);
  assert.deepEqual(calls, [], "no ticket is asked for");
});

test("removed room closes its socket and does not come back", () => {
  const { socket, room } = made();

  room.remove();
  mock.timers.tick(120_000);

  assert.equal(socket.readyState, 3);
  assert.equal(FakeSocket.opened.length, 1);
});

test("skipped events of a fast room are counted in a line", () => {
  const { socket, texts } = made();
  socket.receive(HELLO);

  socket.receive({ ...tick(40, message("m9")), skipped: 30 });

  assert.deepEqual(texts(), ["text m9", "skipped 30"]);
});
