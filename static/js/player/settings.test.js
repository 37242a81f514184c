import assert from "node:assert/strict";
import { test } from "node:test";

import { settingsGroups } from "#player/settings";

const HIGH = { id: 2, label: "720p", side: 720 };
const LOW = { id: 0, label: "360p", side: 360 };

/** Return a player with two qualities that plays the lower one, and the calls that the menu makes. */
function made({ engine = {}, captions = {}, hasSpeeds = true } = {}) {
  const calls = [];
  const record = (name) => (...values) => calls.push([name, ...values]);
  const player = {
    words: (name) => name,
    hasKeys: true,
    chapters: [],
    leveller: { isKnown: false, isOn: true },
    setStable: record("setStable"),
    shownTime: 0,
    seekTo: record("seekTo"),
    video: { playbackRate: 1 },
    clock: { hasSpeeds },
    engine: { qualities: [HIGH, LOW], quality: 0, isAutomatic: true, hls: { loadLevel: 0 }, audioTracks: [], audioTrack: -1, ...engine },
    captions: { tracks: [], chosen: null, ...captions },
    setQuality: record("setQuality"),
    setSpeed: record("setSpeed"),
    showCaptions: record("showCaptions"),
    run: record("run"),
  };
  const group = (label) => settingsGroups(player).find((one) => one.label === label);
  return { player, calls, group };
}

const labels = ({ items }) => items.map(({ label }) => label);
const chosen = ({ items }) => items.filter((item) => item.isChosen).map(({ label }) => label);

test("automatic quality names the one that plays", () => {
  const { group } = made();

  assert.deepEqual(labels(group("quality")), ["auto", "720p", "360p"]);
  assert.deepEqual(chosen(group("quality")), ["auto"]);
  assert.equal(group("quality").value, "auto · 360p");
});

test("chosen quality is marked by the level that is loaded", () => {
  const { group } = made({ engine: { isAutomatic: false, hls: { loadLevel: 2 } } });

  assert.deepEqual(chosen(group("quality")), ["720p"]);
  assert.equal(group("quality").value, "720p");
});

test("choice of a quality names its shorter side, and automatic is 0", () => {
  const { group, calls } = made();

  for (const item of group("quality").items) item.act();

  assert.deepEqual(calls, [["setQuality", 0], ["setQuality", 720], ["setQuality", 360]]);
});

test("group without anything to choose is left out", () => {
  const { player } = made({ engine: { qualities: [] }, hasSpeeds: false });

  assert.deepEqual(settingsGroups(player).map(({ label }) => label), ["keys"]);
});

test("speeds are offered where the clock has them", () => {
  const { group, calls } = made();

  assert.equal(group("speed").value, "normal");
  assert.deepEqual(chosen(group("speed")), ["normal"]);
  group("speed").items.at(-1).act();

  assert.deepEqual(calls, [["setSpeed", 2]]);
  assert.equal(made({ hasSpeeds: false }).group("speed"), undefined);
});

test("captions are named by their label or their language, and can be off", () => {
  const german = { label: "", language: "de" };
  const english = { label: "English", language: "en" };
  const { group, calls } = made({ captions: { tracks: [german, english], chosen: english } });

  assert.deepEqual(labels(group("captions")), ["off", "de", "English"]);
  assert.deepEqual(chosen(group("captions")), ["English"]);
  assert.equal(group("captions").value, "English");
  group("captions").items[0].act();
  group("captions").items[1].act();

  assert.deepEqual(calls, [["showCaptions", null], ["showCaptions", german]]);
});

test("audio tracks are offered if there are several", () => {
  const tracks = [{ id: 0, label: "Deutsch" }, { id: 1, label: "English" }];
  const { group, player } = made({ engine: { audioTracks: tracks, audioTrack: 1 } });

  assert.equal(group("audio").value, "English");
  group("audio").items[0].act();

  assert.equal(player.engine.audioTrack, 0);
  assert.equal(made({ engine: { audioTracks: tracks.slice(0, 1) } }).group("audio"), undefined);
});

test("chapters are listed with their times, and the one that plays is marked", () => {
  const { player, calls, group } = made();
  assert.equal(group("chapters"), undefined);

  Object.assign(player, { chapters: [{ start_s: 0, title: "Opening" }, { start_s: 65, title: "Night" }], shownTime: 70 });
  const { items, value } = group("chapters");
  items[0].act();

  assert.deepEqual(items.map((item) => [item.label, item.value, item.isChosen]), [["Opening", "0:00", false], ["Night", "1:05", true]]);
  assert.equal(value, "Night");
  assert.deepEqual(calls, [["seekTo", 0]]);
});

test("stable volume can be switched where loudness is known", () => {
  const { player, calls, group } = made();
  assert.equal(group("stable"), undefined);

  player.leveller.isKnown = true;
  assert.deepEqual(chosen(group("stable")), ["on"]);
  group("stable").items[1].act();

  assert.deepEqual(calls, [["setStable", false]]);
});

test("loops show their state and are switched by their rows", () => {
  const { player, group, calls } = made();
  Object.assign(player, { section: {}, sectionText: "0:04–" });
  player.video.loop = true;

  assert.deepEqual([group("loop").value, group("section").value], ["on", "0:04–"]);
  group("loop").act();
  group("section").act();
  player.sectionText = "";

  assert.deepEqual(calls, [["run", { do: "loop" }], ["run", { do: "section" }]]);
  assert.equal(group("section").value, "off");
});

test("phone is offered no keyboard shortcuts", () => {
  const { player, group } = made();
  player.hasKeys = false;

  assert.equal(group("keys"), undefined);
});
