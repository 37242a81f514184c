import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { elementFrom, fire, html, install } from "#testing/dom";

install();
globalThis.HTMLMediaElement = /** @type {any} */ ({ HAVE_METADATA: 1, HAVE_CURRENT_DATA: 2, HAVE_FUTURE_DATA: 3 });
const { PlayerShell } = await import("#player/shell");
const { VideoClock } = await import("#player/video-clock");
const { taste } = await import("#player/memory");

const PARTS = ["bar", "seek", "track", "tip", "tip-title", "tip-time", "chapter", "chapter-title", "still", "now", "length", "volume", "unmute", "captions", "settings", "badge", "pip", "error", "error-text", "waiting", "big", "flash", "centre", "centre-play", "ripple", "ripple-text", "held", "held-speed", "menu"];
const WORDS = ["preparing", "not-yet", "volume", "mute", "unmute", "play", "pause", "replay", "position", "offline", "gone", "auto", "quality", "speed", "normal", "keys", "chapters"];
const PLAYER = `<test-player class="player is-fresh" tabindex="-1">
  <video></video><div data-part="captions-layer"></div>
  <template data-controls>
    ${PARTS.map((name) => `<div data-part="${name}"${name === "menu" ? " hidden" : ""}></div>`).join("")}
    <button data-part="play" data-do="play"></button><button data-part="mute" data-do="mute"></button>
    <input type="range" data-part="seek-input"><input type="range" data-part="volume-input">
    <dialog data-part="keys"></dialog>
  </template>
  <template data-icons><i data-icon="play"><b></b></i><i data-icon="pause"><b></b></i></template>
  <template data-words>${WORDS.map((name) => `<dd data-word="${name}">${name} {time}{percent}</dd>`).join("")}</template>
</test-player>`;

/** An engine that only records calls. */
class FakeEngine {
  calls = [];
  isGrowing = false;
  qualities = [{ id: 1, label: "1080p", side: 1080 }, { id: 0, label: "360p", side: 360 }];
  quality = 1;
  isAutomatic = true;
  audioTracks = [];
  hls = { loadLevel: 1, bandwidthEstimate: 1234567.8 };

  choose(side) {
    this.calls.push(["choose", side]);
  }

  retry() {
    this.calls.push(["retry"]);
  }

  end() {
    this.calls.push(["end"]);
  }
}

class TestPlayer extends PlayerShell {
  makeEngine() {
    return new FakeEngine();
  }

  makeClock() {
    return new VideoClock({ video: this.video, engine: this.engine, probed_s: 100, onChange: () => this.onClockChange(), onPlay: () => this.playByItself() });
  }

  begin() {
    this.begun = true;
  }

  async report(report, isLast) {
    (this.reports ??= []).push([report, isLast]);
    return { session: "s1" };
  }
}
customElements.define("test-player", TestPlayer);

/** Give an element the members of a media element. */
function asMedia(video) {
  Object.assign(video, {
    currentTime: 0, duration: 100, paused: true, ended: false, seeking: false, readyState: 4, volume: 1, muted: false, playbackRate: 1,
    seekable: { length: 1, end: () => 100 }, buffered: { length: 0 }, videoWidth: 0, videoHeight: 0, poster: "",
    textTracks: Object.assign(new EventTarget(), { [Symbol.iterator]: [][Symbol.iterator] }),
    play: async () => {
      video.paused = false;
    },
    pause: () => {
      video.paused = true;
    },
  });
}

/** Return a player in the document, with its video. */
function made({ data = {} } = {}) {
  const fragment = html(PLAYER);
  const player = fragment.firstElementChild;
  Object.assign(player.dataset, data);
  const video = player.querySelector("video");
  asMedia(video);
  document.body.replaceChildren(player);
  const shown = (name) => player.querySelector(`[data-part="${name}"]`);
  const press = (key, target = document.body) => fire(target, "keydown", { key });
  return { player, video, shown, press, engine: player.engine };
}

beforeEach(() => localStorage.clear());

test("player is a media element from outside", async () => {
  const { player, video } = made();

  assert.deepEqual([player.currentTime, player.duration, player.paused, player.ended], [0, 100, true, false]);
  await player.play();
  assert.equal(player.paused, false);
  player.currentTime = 40;
  assert.equal(video.currentTime, 40);
  player.pause();

  assert.equal(video.paused, true);
  assert.equal(player.begun, true);
});

test("volume, speed and sound are those of the last time, and a preview is muted", () => {
  localStorage.setItem("player", JSON.stringify({ volume: 0.25, muted: false, speed: 1.5 }));

  const { video } = made();
  assert.deepEqual([video.volume, video.muted, video.playbackRate, video.defaultPlaybackRate], [0.25, false, 1.5, 1.5]);

  assert.equal(made({ data: { muted: "" } }).video.muted, true);
});

test("keys seek, pause and change the volume", () => {
  const { video, press } = made();

  press("l");
  assert.equal(video.currentTime, 10);
  press("ArrowLeft");
  assert.equal(video.currentTime, 5);
  press("5");
  assert.equal(video.currentTime, 50);
  press("k");
  assert.equal(video.paused, false);
  press("ArrowDown");
  assert.equal(video.volume, 0.95);
  press("m");

  assert.equal(video.muted, true);
});

test("keys are left to fields and to other handlers", () => {
  const { video, press } = made();
  const field = elementFrom("<textarea></textarea>");
  document.body.append(field);

  assert.equal(press("k", field).defaultPrevented, false);
  document.body.addEventListener("keydown", (event) => event.preventDefault(), { once: true });
  press("k");

  assert.equal(video.paused, true);
});

test("space on a button presses the button", () => {
  const { video, press, player } = made();

  press(" ", player.controls.mute);

  assert.equal(video.paused, true);
});

test("buttons run their command", () => {
  const { video, shown } = made();

  fire(shown("play"), "click");
  assert.equal(video.paused, false);
  fire(shown("mute"), "click");

  assert.equal(video.muted, true);
});

test("seek bar and volume bar ask the player", () => {
  const { video, shown } = made();

  Object.assign(shown("seek-input"), { value: 0.3 });
  fire(shown("seek-input"), "input");
  Object.assign(shown("volume-input"), { value: 0 });
  fire(shown("volume-input"), "input");

  assert.equal(video.currentTime, 30);
  assert.equal(video.muted, true);
  assert.equal(video.volume, 1, "the volume is there again when it is unmuted");
});

test("a drag on the seek bar shows its position and seeks once, at its end", () => {
  const { player, video, shown } = made();
  const seeks = [];
  const seekTo = player.seekTo.bind(player);
  player.seekTo = (seconds) => {
    seeks.push(seconds);
    seekTo(seconds);
  };

  fire(shown("seek-input"), "pointerdown");
  for (const value of [0.3, 0.5, 0.65]) {
    Object.assign(shown("seek-input"), { value });
    fire(shown("seek-input"), "input");
  }
  fire(video, "timeupdate", { bubbles: false });

  assert.deepEqual(seeks, []);
  assert.equal(shown("tip-time").textContent, "1:05");
  assert.equal(shown("now").textContent, "1:05");
  assert.equal(player.classList.contains("is-scrubbing"), true);

  fire(shown("seek-input"), "change");
  fire(shown("seek-input"), "pointerup");

  assert.deepEqual(seeks, [65]);
  assert.equal(player.classList.contains("is-scrubbing"), false);
});

test("chapters divide the bar, name the position and stand in the menu", () => {
  const { player, video, shown } = made();
  player.chapters = [{ start_s: 0, title: "Opening" }, { start_s: 50, title: "Lanterns" }];
  fire(video, "durationchange", { bubbles: false });
  video.currentTime = 65;
  fire(video, "timeupdate", { bubbles: false });

  assert.equal(shown("chapter-title").textContent, "Lanterns");
  assert.match(shown("seek-input").getAttribute("aria-valuetext"), /, Lanterns$/);
  assert.match(shown("track").style.maskImage, /^linear-gradient\(to right, #000 calc\(50/);

  const opened = [];
  player.menu.openAt = (label) => opened.push(label);
  player.run({ do: "chapters" });

  assert.deepEqual(opened, ["chapters {time}{percent}"]);
});

test("volume stays between silence and full", () => {
  const { player, video } = made();

  player.setVolume(1.4);
  assert.equal(video.volume, 1);
  player.setVolume(-1);

  assert.equal(video.muted, true);
});

test("chosen volume is remembered, and muting by the browser is not", () => {
  const { player, video } = made();
  Object.assign(video, { volume: 0.5, muted: true });

  player.controls.unmute.hidden = false;
  player.onVolume();
  assert.equal(taste().volume, 1);
  player.controls.unmute.hidden = true;
  player.onVolume();

  assert.deepEqual([taste().volume, taste().muted], [0.5, true]);
});

test("playback that the browser refuses begins muted, with a button to unmute", async () => {
  const { player, video, shown } = made();
  video.play = async () => {
    if (!video.muted) throw Object.assign(new Error(), { name: "NotAllowedError" });
    video.paused = false;
  };

  await player.playByItself();

  assert.deepEqual([video.muted, video.paused, shown("unmute").hidden], [true, false, false]);
  player.run({ do: "unmute" });
  assert.deepEqual([video.muted, shown("unmute").hidden], [false, true]);
});

test("playback that is refused even muted leaves the sound on", async () => {
  const { player, video } = made();
  video.play = async () => {
    throw Object.assign(new Error(), { name: "NotAllowedError" });
  };

  await player.playByItself();

  assert.equal(video.muted, false);
});

test("time and duration stand in the bar", () => {
  const { video, shown } = made();
  video.currentTime = 65;

  fire(video, "timeupdate", { bubbles: false });

  assert.equal(shown("now").textContent, "1:05");
  assert.equal(shown("length").textContent, "1:40");
  assert.equal(shown("seek").style["--played"], "0.65");
});

test("buttons follow the playback", () => {
  const { player, video, shown } = made();
  video.paused = false;
  fire(video, "play", { bubbles: false });
  assert.ok(player.classList.contains("is-playing"));
  assert.ok(!player.classList.contains("is-fresh"));
  assert.match(shown("play").getAttribute("aria-label"), /^pause/);

  Object.assign(video, { paused: true, ended: true });
  fire(video, "ended", { bubbles: false });

  assert.ok(player.classList.contains("is-ended"));
  assert.match(shown("play").getAttribute("aria-label"), /^replay/);
});

test("ring is shown while the network is waited for", () => {
  const { player, video } = made();
  Object.assign(video, { paused: false, readyState: 2 });

  fire(video, "waiting", { bubbles: false });
  assert.ok(player.classList.contains("is-waiting"));
  video.readyState = 4;
  fire(video, "playing", { bubbles: false });

  assert.ok(!player.classList.contains("is-waiting"));
});

test("wait for the encoder is shown, and ends when the position is encoded", () => {
  const { player, video, engine, shown } = made();
  engine.isGrowing = true;
  Object.assign(video, { duration: 20, paused: false });

  player.seekTo(60);
  assert.equal(shown("waiting").textContent, "not-yet 1:00{percent}");
  assert.ok(player.classList.contains("is-waiting"));
  assert.equal(player.paused, false);
  video.duration = 80;
  fire(video, "durationchange", { bubbles: false });

  assert.equal(video.currentTime, 60);
  assert.equal(video.paused, false);
  assert.ok(!player.classList.contains("is-waiting"));
});

test("trouble is shown, and hidden when it is over", () => {
  const { player, shown } = made();

  player.onTrouble("gone");
  assert.deepEqual([shown("error").hidden, shown("error-text").textContent], [false, "gone {time}{percent}"]);
  player.onTrouble("");
  assert.equal(shown("error").hidden, true);
  player.onTrouble("offline");
  assert.match(shown("waiting").textContent, /^offline/);
});

test("retry takes the error away and asks the engine", () => {
  const { player, engine, shown } = made();
  player.onTrouble("gone");

  player.run({ do: "retry" });

  assert.equal(shown("error").hidden, true);
  assert.deepEqual(engine.calls, [["retry"]]);
});

test("quality that plays is shown, and a choice is remembered", () => {
  const { player, engine, shown, video } = made();

  fire(video, "ratechange", { bubbles: false });
  assert.equal(shown("badge").textContent, "HD");
  assert.equal(player.dataset.quality, "1080p");
  engine.qualities[0].side = 2160;
  player.showBadge();
  assert.equal(shown("badge").textContent, "4K");
  player.setQuality(360);

  assert.deepEqual(engine.calls, [["choose", 360]]);
  assert.equal(taste().quality, 360);
});

test("speed goes up and down in steps and is remembered", () => {
  const { video, press } = made();

  press(">");
  press(">");
  press("<");

  assert.equal(video.playbackRate, 1.25);
  assert.equal(taste().speed, 1.25);
});

test("frames are stepped through only while paused", () => {
  const { video, press } = made();
  video.currentTime = 1;

  press(".");
  assert.ok(Math.abs(video.currentTime - 1 - 1 / 30) < 1e-9);
  Object.assign(video, { paused: false, currentTime: 1 });
  press(".");

  assert.equal(video.currentTime, 1);
});

test("watching is reported while it plays, and not while it seeks", async (context) => {
  let now_ms = 0;
  context.mock.method(performance, "now", () => now_ms);
  const { player, video } = made();
  const pass = (seconds) => {
    for (let tick = 0; tick < seconds; tick += 1) {
      now_ms += 1000;
      video.currentTime += 1;
      fire(video, "timeupdate", { bubbles: false });
    }
  };
  video.paused = false;

  pass(9);
  assert.equal(player.reports, undefined);
  pass(2);
  assert.deepEqual(player.reports, [[{ position_s: 11 }, false]]);
  video.seeking = true;
  pass(20);

  assert.equal(player.reports.length, 1);
});

test("bandwidth is remembered when the page goes", () => {
  made();

  window.dispatchEvent(new Event("pagehide"));

  assert.equal(taste().bandwidth, 1234568);
});

test("removed player ends its engine and hears no more keys", () => {
  const { player, engine, video, press } = made();

  player.remove();
  press("k");

  assert.deepEqual(engine.calls, [["end"]]);
  assert.equal(video.paused, true);
});

test("controls rest after a while without a hand, and a tap wakes them", (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const { player } = made();
  player.controls.wake();

  context.mock.timers.tick(3000);
  assert.ok(player.classList.contains("is-idle"));
  fire(player, "pointermove");

  assert.ok(!player.classList.contains("is-idle"));
});

test("click plays, and a double click fills the screen", () => {
  const { player, video } = made();
  let asked = 0;
  player.toggleFullscreen = () => (asked += 1);
  globalThis.matchMedia = () => ({ matches: true });

  fire(video, "click", { pointerType: "mouse" });
  assert.equal(video.paused, false);
  fire(video, "dblclick");

  assert.equal(asked, 1);
});

test("double tap at a side skips, and does not fill the screen", () => {
  const { player, video } = made();
  player.classList.remove("is-fresh");
  video.currentTime = 50;
  let asked = 0;
  player.toggleFullscreen = () => (asked += 1);
  globalThis.matchMedia = () => ({ matches: true });
  const tap = (clientX, timeStamp) => {
    const event = Object.assign(new Event("click", { bubbles: true }), { pointerType: "touch", clientX });
    Object.defineProperty(event, "timeStamp", { value: timeStamp });
    video.dispatchEvent(event);
  };

  tap(90, 1000);
  tap(90, 1100);
  fire(video, "dblclick");
  assert.equal(video.currentTime, 60);
  tap(10, 5000);
  tap(10, 5100);

  assert.equal(video.currentTime, 50);
  assert.equal(asked, 0);
});

test("the measured loudness of the page is levelled, and the switch is remembered", () => {
  const { player, video } = made();
  player.leveller.tracks = [[-8, 0]];
  player.engine.hls = null;
  video.volume = 0.5;

  player.level();
  assert.equal(Math.round(player.volume * 100) / 100, 0.5);
  assert.equal(video.volume < 0.5, true);
  player.setVolume(1);
  assert.equal(video.volume < 1, true);
  assert.equal(player.volume, 1);

  player.setStable(false);
  assert.equal(Math.round(video.volume * 100) / 100, 1);
  assert.equal(taste().stable, false);
});

test("finger that stays plays faster until it leaves, and its click does nothing", (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const { player, video } = made();
  Object.assign(video, { paused: false, playbackRate: 1.5 });
  player.classList.remove("is-fresh");
  const finger = { pointerType: "touch", clientX: 30, clientY: 30 };

  fire(video, "pointerdown", finger);
  context.mock.timers.tick(600);
  assert.deepEqual([video.playbackRate, player.classList.contains("is-held")], [2, true]);
  fire(video, "pointerup", finger);
  const wasIdle = player.classList.contains("is-idle");
  fire(video, "click", finger);

  assert.deepEqual([video.playbackRate, player.classList.contains("is-held")], [1.5, false]);
  assert.equal(player.classList.contains("is-idle"), wasIdle);
  assert.equal(taste().speed, 1);
});

test("finger that moves, and a finger on a paused video, change no speed", (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const { video } = made();
  const finger = { pointerType: "touch", clientX: 30, clientY: 30 };

  fire(video, "pointerdown", finger);
  context.mock.timers.tick(600);
  assert.equal(video.playbackRate, 1);
  video.paused = false;
  fire(video, "pointerdown", finger);
  fire(video, "pointermove", { ...finger, clientX: 80 });
  context.mock.timers.tick(600);

  assert.equal(video.playbackRate, 1);
});
