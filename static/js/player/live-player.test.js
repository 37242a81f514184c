import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";

import { fire, html, install, serve } from "#testing/dom";

install();
globalThis.HTMLMediaElement = /** @type {any} */ ({ HAVE_METADATA: 1, HAVE_CURRENT_DATA: 2, HAVE_FUTURE_DATA: 3 });
await import("#player/live-player");

const PARTS = ["bar", "seek", "track", "tip", "tip-title", "tip-time", "still", "now", "length", "volume", "unmute", "captions", "settings", "badge", "pip", "error", "error-text", "waiting", "big", "flash", "centre", "centre-play", "ripple", "ripple-text", "held", "held-speed", "live-word", "behind", "delay"];
const WORDS = ["live", "go-live", "live-badge", "delay", "danmaku-on", "danmaku-off", "offline", "play", "pause", "mute", "unmute", "volume", "position", "gone"];
const STARTED = "2026-01-01T10:00:00Z";
const PLAYER = `<live-player class="player" data-username="eve" data-src="/live/b1.m3u8" data-dvr="/dvr/b1.m3u8" data-started="${STARTED}" data-latency="low">
  <video></video><div data-part="captions-layer"></div><div data-part="flying"></div>
  <template data-controls>
    ${PARTS.map((name) => `<div data-part="${name}"></div>`).join("")}<div data-part="menu" hidden></div>
    <button data-part="play" data-do="play"></button><button data-part="mute" data-do="mute"></button>
    <button data-part="live" data-do="live"></button><button data-part="danmaku" data-do="danmaku"></button>
    <input type="range" data-part="seek-input"><input type="range" data-part="volume-input">
  </template>
  <template data-icons><i data-icon="play"><b></b></i><i data-icon="pause"><b></b></i></template>
  <template data-words>${WORDS.map((name) => `<dd data-word="${name}">${name}{seconds}</dd>`).join("")}</template>
</live-player>`;

beforeEach(() => {
  localStorage.clear();
  mock.timers.enable({ apis: ["setTimeout", "setInterval", "Date"], now: Date.parse(STARTED) + 100_000 });
});
afterEach(() => {
  document.body.replaceChildren();
  mock.timers.reset();
});

/** Return a player whose browser plays HLS by itself, 100 s after the start of a broadcast. */
function made({ data = {} } = {}) {
  const player = html(PLAYER).firstElementChild;
  Object.assign(player.dataset, data);
  const video = player.querySelector("video");
  Object.assign(video, {
    currentTime: 97, duration: Infinity, paused: true, ended: false, seeking: false, readyState: 4, volume: 1, muted: false, playbackRate: 1,
    seekable: { length: 1, end: () => 100 }, buffered: { length: 0 }, videoWidth: 0, videoHeight: 0, poster: "",
    textTracks: Object.assign(new EventTarget(), { [Symbol.iterator]: [][Symbol.iterator] }),
    canPlayType: () => "maybe",
    getStartDate: () => new Date(STARTED),
    play: async () => {
      video.paused = false;
    },
    pause: () => {
      video.paused = true;
      fire(video, "pause", { bubbles: false });
    },
  });
  document.body.replaceChildren(player);
  const shown = (name) => player.querySelector(`[data-part="${name}"]`);
  const press = (name) => fire(shown(name), "click");
  return { player, video, shown, press, look: () => mock.timers.tick(500) };
}

test("broadcast plays by itself and shows its delay", () => {
  const { player, video, shown, look } = made();
  assert.equal(video.paused, false);

  look();

  assert.equal(player.isLive, true);
  assert.equal(shown("live-word").textContent, "live-badge{seconds}");
  assert.equal(shown("delay").textContent, "delay3.0");
  assert.equal(shown("behind").textContent, "");
  assert.ok(player.classList.contains("has-recording"));
});

test("time is that of the broadcast", () => {
  const { player } = made();

  assert.equal(player.currentTime, 97);
  assert.equal(player.duration, 100);
});

test("paused player falls behind and shows by how much", () => {
  const { player, shown } = made();
  player.pause();

  mock.timers.tick(20_000);

  assert.equal(player.isLive, false);
  assert.equal(shown("live-word").textContent, "go-live{seconds}");
  assert.equal(shown("behind").textContent, "−0:23");
  assert.equal(shown("delay").textContent, "");
});

test("Go live plays at the edge", () => {
  const { player, video, press, look } = made();
  player.pause();
  video.currentTime = 40;

  press("live");
  look();

  assert.equal(video.currentTime, 100);
  assert.equal(video.paused, false);
  assert.equal(player.isLive, true);
});

test("End key goes live, and Home to the start of the recording", () => {
  const { player, video } = made();
  video.currentTime = 40;

  fire(document.body, "keydown", { key: "End" });
  assert.equal(video.currentTime, 100);
  fire(document.body, "keydown", { key: "Home" });

  assert.equal(player.engine.isRecorded, true);
});

test("speed of videos does not apply to a broadcast", () => {
  localStorage.setItem("player", JSON.stringify({ speed: 2 }));

  assert.equal(made().video.playbackRate, 1);
});

test("danmaku is remembered as it was switched", () => {
  const { player, press, shown } = made();
  assert.equal(player.danmaku.isOn, true);

  press("danmaku");

  assert.equal(player.danmaku.isOn, false);
  assert.equal(shown("danmaku").getAttribute("aria-pressed"), "false");
  assert.equal(shown("flying").hidden, true);
  assert.equal(made().player.danmaku.isOn, false);
});

test("viewer is reported with the session, and the audience published to the page", async () => {
  const calls = serve({ "POST live/eve/heartbeat/": () => ({ session: "s1", viewer_count: 7 }) });
  const { player } = made();
  const counts = [];
  document.addEventListener("viewer-count", ({ detail }) => counts.push(detail.count), { once: true });

  assert.deepEqual(await player.report({}), { session: "s1", viewer_count: 7 });
  await player.report({ session: "s1" });

  assert.deepEqual(calls.map(([, body]) => body), [{}, { session: "s1" }]);
  assert.deepEqual(counts, [7]);
});

test("streamer who looks at the preview is no viewer, and hears nothing", async () => {
  const calls = serve({});
  const { player, video } = made({ data: { preview: "", muted: "" } });

  assert.equal(await player.report({}), null);

  assert.deepEqual(calls, []);
  assert.equal(video.muted, true);
});

test("lost signal is no longer live, and live again when it is back", () => {
  const { player } = made();

  player.interrupt(true);
  assert.equal(player.isLive, false);
  player.interrupt(false);

  assert.equal(player.isLive, true);
});

test("removed player stops its timers", () => {
  const { player, video } = made();
  player.remove();
  video.currentTime = 10;
  let shows = 0;
  player.showPlace = () => (shows += 1);

  mock.timers.tick(10_000);

  assert.equal(shows, 0);
});
