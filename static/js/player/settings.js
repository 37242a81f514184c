/** The groups of the settings menu: quality, speed, captions, audio track, stable volume, chapters, loops, keys. */

import { chapterAt } from "#player/chapters";
import { SPEEDS } from "#player/keys";
import { clock as clockText } from "#player/timeline";

/** @typedef {import("#player/menu").Group} Group */
/** @typedef {import("#player/shell").PlayerShell<import("#player/engine").Engine, import("#player/shell").Clock>} Player */

/**
 * Return the groups in which there is something to choose.
 * @param {Player} player
 * @returns {Group[]}
 */
export function settingsGroups(player) {
  const { clock, engine, captions, words } = player;
  const groups = [
    qualityGroup(player),
    ...(clock.hasSpeeds ? [speedGroup(player)] : []),
    ...(captions.tracks.length ? [captionsGroup(player)] : []),
    ...(engine.audioTracks.length > 1 ? [audioGroup(player)] : []),
    ...(player.leveller.isKnown ? [stableGroup(player)] : []),
    ...(player.chapters.length ? [chaptersGroup(player)] : []),
    ...("section" in player ? loopGroups(player) : []),
    ...(player.hasKeys ? [{ label: words("keys"), icon: "keys", value: "?", act: () => player.run({ do: "keys" }) }] : []),
  ];
  return groups.filter((group) => group.items?.length !== 0);
}

/**
 * @param {Player} player
 * @returns {Group}
 */
function qualityGroup(player) {
  const { engine, words } = player;
  const now = engine.qualities.find((quality) => quality.id === engine.quality);
  const automatic = { label: words("auto"), isChosen: engine.isAutomatic, act: () => player.setQuality(0) };
  const items = engine.qualities.map(({ label, side, id }) => ({
    label,
    isChosen: !engine.isAutomatic && id === engine.hls.loadLevel,
    act: () => player.setQuality(side),
  }));
  const chosen = items.find((item) => item.isChosen)?.label ?? "";
  const value = engine.isAutomatic ? `${words("auto")}${now ? ` · ${now.label}` : ""}` : chosen;
  return { label: words("quality"), icon: "quality", value, items: items.length ? [automatic, ...items] : [] };
}

/**
 * @param {Player} player
 * @returns {Group}
 */
function speedGroup(player) {
  const now = player.video.playbackRate;
  /** @param {number} speed */
  const name = (speed) => (speed === 1 ? player.words("normal") : `${speed}×`);
  const items = SPEEDS.map((speed) => ({ label: name(speed), isChosen: speed === now, act: () => player.setSpeed(speed) }));
  return { label: player.words("speed"), icon: "speed", value: name(now), items };
}

/**
 * @param {Player} player
 * @returns {Group}
 */
function captionsGroup(player) {
  const { words } = player;
  const { tracks, chosen } = player.captions;
  const off = { label: words("off"), isChosen: !chosen, act: () => player.showCaptions(null) };
  const items = tracks.map((track) => ({
    label: track.label || track.language,
    isChosen: track === chosen,
    act: () => player.showCaptions(track),
  }));
  return { label: words("captions"), icon: "captions", value: chosen?.label ?? words("off"), items: [off, ...items] };
}

/**
 * @param {Player} player
 * @returns {Group}
 */
function stableGroup(player) {
  const { isOn } = player.leveller;
  const items = [true, false].map((choice) => ({
    label: player.words(choice ? "on" : "off"),
    isChosen: choice === isOn,
    act: () => player.setStable(choice),
  }));
  return { label: player.words("stable"), icon: "stable", value: player.words(isOn ? "on" : "off"), items };
}

/**
 * @param {any} player a player of videos
 * @returns {Group[]}
 */
function loopGroups(player) {
  const { video, words, sectionText } = player;
  return [
    { label: words("loop"), icon: "loop", value: words(video.loop ? "on" : "off"), act: () => player.run({ do: "loop" }) },
    { label: words("section"), icon: "section", value: sectionText || words("off"), act: () => player.run({ do: "section" }) },
  ];
}

/**
 * @param {Player} player
 * @returns {Group}
 */
function chaptersGroup(player) {
  const { chapters, words } = player;
  const now = chapterAt(chapters, player.shownTime);
  const items = chapters.map((chapter) => ({
    label: chapter.title,
    value: clockText(chapter.start_s),
    isChosen: chapter === now,
    act: () => player.seekTo(chapter.start_s),
  }));
  return { label: words("chapters"), icon: "chapters", value: now?.title ?? "", items };
}

/**
 * @param {Player} player
 * @returns {Group}
 */
function audioGroup({ engine, words }) {
  const items = engine.audioTracks.map(({ id, label }) => ({
    label,
    isChosen: id === engine.audioTrack,
    act: () => {
      engine.audioTrack = id;
    },
  }));
  return { label: words("audio"), icon: "audio", value: items.find((item) => item.isChosen)?.label ?? "", items };
}
