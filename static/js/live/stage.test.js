import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";

import { html, install, serve } from "#testing/dom";

install();
globalThis.HTMLMediaElement = /** @type {any} */ ({ HAVE_METADATA: 1, HAVE_CURRENT_DATA: 2, HAVE_FUTURE_DATA: 3 });

// The player has tests of its own: here it only records calls.
class FakePlayer extends HTMLElement {
  calls = [];

  connectedCallback() {
    this.calls.push(["began", this.dataset.src, this.dataset.dvr]);
  }

  interrupt(isInterrupted) {
    this.calls.push(["interrupt", isInterrupted]);
  }
}
customElements.define("live-player", FakePlayer);
await import("#live/stage");

const STAGE = (attributes) => `<live-stage data-username="eve" ${attributes}>
  <div data-part="place"></div><a data-part="replay" hidden></a>
  <template data-live-player><live-player data-player></live-player></template>
</live-stage>`;
const LIVE = {
  status: "live", title: "T", started_at: "2026-01-01T10:00:00Z", viewer_count: 3, broadcast_id: "b1", latency: "low",
  replay_id: null, replay_broadcast_id: null, playback: { hls_url: "/live/b1.m3u8", dvr_url: "/dvr/b1.m3u8", poster_url: null },
};
const OFFLINE = { ...LIVE, status: "offline", playback: null, viewer_count: 0 };

beforeEach(() => mock.timers.enable({ apis: ["setTimeout"] }));
afterEach(() => {
  document.body.replaceChildren();
  mock.timers.reset();
});

/** Let promises take place while timers stand still. */
async function answered() {
  for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

/** Return a stage, its events, and a function to send it news as the socket of the chat does. */
function made({ attributes = 'data-status="offline"', state = OFFLINE } = {}) {
  const server = { state };
  const calls = serve({ "GET live/eve/": () => server.state });
  const heard = [];
  const stop = new AbortController();
  for (const name of ["stream-status", "live-state", "viewer-count"]) {
    document.addEventListener(name, ({ detail }) => heard.push([name, detail.status ?? detail.count]), { signal: stop.signal });
  }
  const stage = html(STAGE(attributes)).firstElementChild;
  document.body.replaceChildren(stage);
  const publish = (name, detail) => document.dispatchEvent(new CustomEvent(name, { detail }));
  const pass = async (ms) => {
    mock.timers.tick(ms);
    await answered();
  };
  return { stage, server, calls, heard, publish, pass, replay: stage.querySelector('[data-part="replay"]') };
}

const ON_AIR = 'data-status="live" data-src="/live/b1.m3u8" data-dvr="/dvr/b1.m3u8" data-started="2026-01-01T10:00:00Z" data-latency="low" data-broadcast="b1"';

test("page of a live stream has a player from the beginning", () => {
  const { stage } = made({ attributes: ON_AIR, state: LIVE });

  assert.deepEqual(stage.player.calls[0], ["began", "/live/b1.m3u8", "/dvr/b1.m3u8"]);
});

test("offline page has no player and gets one with the broadcast", () => {
  const { stage, publish, heard } = made();
  assert.equal(stage.player, null);

  publish("live-status", LIVE);

  assert.equal(stage.dataset.status, "live");
  assert.deepEqual(stage.player.calls[0], ["began", "/live/b1.m3u8", "/dvr/b1.m3u8"]);
  assert.deepEqual(heard.filter(([name]) => name === "stream-status"), [["stream-status", "live"]]);
  assert.ok(heard.some(([name, count]) => name === "viewer-count" && count === 3));
});

test("status alone makes the page ask for the rest", async () => {
  const { stage, server, calls, publish, pass } = made();
  server.state = LIVE;

  publish("live-status", { status: "live" });
  assert.equal(stage.player, null);
  await pass(1000);

  assert.equal(calls.length, 1);
  assert.ok(stage.player);
});

test("lost signal interrupts the player and keeps it", () => {
  const { stage, publish } = made({ attributes: ON_AIR, state: LIVE });
  const { player } = stage;

  publish("live-status", { ...LIVE, status: "reconnecting" });
  publish("live-status", LIVE);

  assert.equal(stage.player, player);
  assert.deepEqual(player.calls.filter(([name]) => name === "interrupt").map(([, is]) => is).slice(-2), [true, false]);
});

test("end of the broadcast takes the player away", () => {
  const { stage, publish } = made({ attributes: ON_AIR, state: LIVE });

  publish("live-status", OFFLINE);

  assert.equal(stage.player, null);
  assert.ok(stage.classList.contains("has-ended"));
  assert.equal(stage.dataset.src, undefined);
});

test("next broadcast replaces the player", () => {
  const { stage, publish } = made({ attributes: ON_AIR, state: LIVE });
  const { player } = stage;

  publish("live-status", { ...LIVE, broadcast_id: "b2", playback: { hls_url: "/live/b2.m3u8", dvr_url: null, poster_url: null } });

  assert.notEqual(stage.player, player);
  assert.deepEqual(stage.player.calls[0], ["began", "/live/b2.m3u8", ""]);
});

test("same broadcast keeps its player, with a relative address too", () => {
  const { stage, publish } = made({ attributes: ON_AIR, state: LIVE });
  const { player } = stage;

  publish("live-status", { ...LIVE, playback: { ...LIVE.playback, hls_url: "https://site.test/live/b1.m3u8" } });

  assert.equal(stage.player, player);
});

test("replay of this broadcast is offered, and another one is not", () => {
  const { publish, replay } = made({ attributes: ON_AIR, state: LIVE });
  publish("live-status", OFFLINE);
  assert.equal(replay.hidden, true);

  publish("stream-news", { replay_id: "v0", replay_broadcast_id: "b0" });
  assert.equal(replay.hidden, true);
  publish("stream-news", { replay_id: "v1", replay_broadcast_id: "b1" });

  assert.equal(replay.hidden, false);
  assert.equal(replay.href, "/watch/v1/");
});

test("page that saw no broadcast offers the newest replay", () => {
  const { publish, replay } = made();

  publish("live-status", { ...OFFLINE, replay_id: "v9", replay_broadcast_id: "b9" });

  assert.deepEqual([replay.hidden, replay.href], [false, "/watch/v9/"]);
});

test("stream that is closed to the viewer loses its player", async () => {
  const { stage, server, publish, pass } = made({ attributes: ON_AIR, state: LIVE });
  server.state = { status: 404 };

  publish("player-lost", {});
  await pass(1000);

  assert.equal(stage.player, null);
  assert.ok(stage.classList.contains("is-closed"));
});

test("removed stage asks no more", async () => {
  const { stage, calls, publish, pass } = made();

  stage.remove();
  publish("live-status", { status: "live" });
  await pass(120_000);

  assert.deepEqual(calls, []);
});
