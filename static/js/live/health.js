/** ``<stream-health>``: the figures of the incoming signal, every two seconds, with advice. */

import { call } from "#lib/api";
import { define, part } from "#lib/element";
import { wordsOf } from "#lib/words";

const EVERY_MS = 2000;
/** Off air, an encoder may connect and wait for its own first frame. */
const OFF_AIR_EVERY_MS = 4000;
const AWAITED = ["awaits_video", "awaits_keyframe"];
/** Verdicts that are mild; all others except "good" are urgent. */
const MILD = ["keyframes_too_far", "low_bitrate", "b_frames", "no_audio"];
/** @type {Record<string, string>} the words without figures, by the status of the stream */
const BLANK = { live: "starting", reconnecting: "lost", offline: "none" };
const FIGURES = ["bitrate", "fps", "size", "keyframes", "dropped"];

class StreamHealth extends HTMLElement {
  connectedCallback() {
    this.words = wordsOf(this);
    this.leaving = new AbortController();
    const { signal } = this.leaving;
    document.addEventListener("stream-status", ({ detail }) => this.onStatus(detail.status), { signal });
    this.onStatus(this.dataset.status);
  }

  disconnectedCallback() {
    this.leaving.abort();
    clearTimeout(this.timer);
  }

  /** @param {string} status */
  onStatus(status) {
    this.dataset.status = status;
    clearTimeout(this.timer);
    this.blank(BLANK[status] ?? "none");
    this.ask();
  }

  async ask() {
    const { status } = this.dataset;
    const isAsked = () => this.dataset.status === status && this.isConnected; // an answer may come after the end
    try {
      const health = document.hidden ? null : await call("GET", `live/${this.dataset.username}/health/`);
      if (health && isAsked() && status === "live") this.show(health);
    } catch (error) {
      if (error.status === 409 && isAsked()) this.blank(AWAITED.includes(error.code) ? error.code : BLANK[status] ?? "none");
    }
    if (isAsked()) this.timer = setTimeout(() => this.ask(), status === "live" ? EVERY_MS : OFF_AIR_EVERY_MS);
  }

  /** @param {any} health */
  show(health) {
    const locale = document.documentElement.lang;
    const number = (/** @type {number} */ value, digits = 1) => new Intl.NumberFormat(locale, { maximumFractionDigits: digits }).format(value);
    const { words } = this;
    part(this, "bitrate").textContent = words("bitrate", { n: number(health.bitrate_bps / 1e6) });
    part(this, "fps").textContent = words("fps", { n: number(health.fps) });
    part(this, "size").textContent = health.width_px ? `${health.width_px} × ${health.height_px}` : "–";
    part(this, "keyframes").textContent = health.keyframe_interval_s ? words("seconds", { n: number(health.keyframe_interval_s) }) : "–";
    part(this, "dropped").textContent = number(health.dropped_frames, 0);
    const advice = (health.advice ?? []).map((/** @type {string} */ code) => words(`advice-${code}`)).filter(Boolean);
    const level = health.verdict === "good" ? "good" : MILD.includes(health.verdict) ? "fair" : "bad";
    this.showVerdict(level, words(level));
    const items = advice.map((/** @type {string} */ sentence) => {
      const item = document.createElement("li");
      item.textContent = sentence;
      return item;
    });
    part(this, "advice").replaceChildren(...items);
  }

  /** @param {string} word */
  blank(word) {
    for (const name of FIGURES) part(this, name).textContent = "–";
    part(this, "advice").replaceChildren();
    this.showVerdict(word, this.words(word));
  }

  /**
   * @param {string} verdict
   * @param {string} sentence
   */
  showVerdict(verdict, sentence) {
    part(this, "verdict").dataset.verdict = verdict;
    const words = part(this, "verdict-words");
    if (words.textContent !== sentence) words.textContent = sentence;
  }
}

define("stream-health", StreamHealth);
