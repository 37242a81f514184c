/**
 * Levelling of loudness: every video plays at about the same one, however loud it was made.
 *
 * The gain is applied by Web Audio, so that the volume of the media element stays the person's.
 * Where Web Audio cannot be used (the browser's own HLS), a loud video is turned down by the
 * volume itself, and ``volume`` tells and takes the person's share of it.
 */

export const TARGET_LUFS = -14;
/** Peaks stay below this, in dBTP, if a quiet video is raised. */
const HIGHEST_PEAK = -1;
/** Beyond this, noise would be raised, in dB. */
const MOST_GAIN = 12;

/** @typedef {[number, number]} Measured  integrated loudness in LUFS, true peak in dBTP */

/**
 * Return the gain in dB that brings a track to ``TARGET_LUFS`` without clipping; 0 if it was not measured.
 * @param {?Measured} [measured]
 */
export function gainOf(measured) {
  if (!measured) return 0;
  const [integrated, peak] = measured;
  const wanted = TARGET_LUFS - integrated;
  return wanted <= 0 ? wanted : Math.min(wanted, Math.max(0, HIGHEST_PEAK - peak), MOST_GAIN);
}

/**
 * Return the measured tracks that an element carries as JSON; none if they are missing or broken.
 * @param {string} [json]
 * @returns {(?Measured)[]}
 */
export function readLoudness(json = "") {
  try {
    return JSON.parse(json);
  } catch {
    return [];
  }
}

/** @param {number} decibels */
export function factorOf(decibels) {
  return 10 ** (decibels / 20);
}

export class Leveller {
  /**
   * @param {HTMLMediaElement} video
   * @param {(?Measured)[]} tracks in the order of the audio tracks
   * @param {{isOn: boolean, makeContext?: () => AudioContext}} options
   */
  constructor(video, tracks, { isOn, makeContext = () => new AudioContext() }) {
    this.video = video;
    this.tracks = tracks;
    this.isOn = isOn;
    this.makeContext = makeContext;
    this.track = 0;
    /** @type {?AudioContext} */
    this.context = null;
    /** @type {?GainNode} */
    this.node = null;
    /** The share of the element's volume that the person sees as 1; below 1 only without Web Audio. */
    this.share = 1;
    this.usesVolume = false;
  }

  /** Return whether a track can be levelled. */
  get isKnown() {
    return this.tracks.some(Boolean);
  }

  get gain() {
    return this.isOn ? gainOf(this.tracks[this.track] ?? this.tracks[0]) : 0;
  }

  /** The volume that the person chose, 0 to 1. */
  get volume() {
    return Math.min(1, this.video.volume / this.share);
  }

  set volume(level) {
    this.video.volume = level * this.share;
  }

  /** @param {number} track the audio track that plays */
  choose(track) {
    if (track < 0 || track === this.track) return;
    this.track = track;
    this.apply();
  }

  /** @param {boolean} isOn */
  toggle(isOn) {
    this.isOn = isOn;
    this.apply();
  }

  /** Use the volume instead of Web Audio, which hears nothing of the browser's own HLS. */
  useVolume() {
    this.usesVolume = true;
    this.apply();
  }

  /**
   * Route the audio through a gain. An audio context may start only after a gesture, and audio that is
   * routed through one that stands still is lost: so it is routed once the context runs.
   */
  async start() {
    if (this.node || this.usesVolume || !this.isOn || !this.gain) return;
    try {
      this.context ??= this.makeContext();
      if (this.context.state !== "running") await this.context.resume();
    } catch {
      return;
    }
    if (this.context.state !== "running" || this.node) return;
    this.node = this.context.createGain();
    this.context.createMediaElementSource(this.video).connect(this.node).connect(this.context.destination);
    this.apply();
  }

  apply() {
    if (this.usesVolume) {
      const { volume } = this;
      this.share = Math.min(1, factorOf(this.gain));
      this.volume = volume;
    } else if (this.node) {
      this.node.gain.value = factorOf(this.gain);
    } else {
      this.start();
    }
  }

  /** A context that the system has stopped would keep the audio back. */
  wake() {
    if (this.context && this.context.state !== "running") this.context.resume().catch(() => {});
    this.start();
  }

  end() {
    this.context?.close().catch(() => {});
  }
}
