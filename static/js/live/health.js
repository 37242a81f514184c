/** ``<stream-health>``: how the signal arrives, every two seconds, and what would make it better. */

import { call } from "#lib/api";
import { define, part } from "#lib/element";
import { wordsOf } from "#lib/words";

const EVERY_MS = 2000;
/** Verdicts that can wait; every other but "good" cannot. */
const MILD = ["keyframes_too_far", "low_bitrate", "b_frames", "no_audio"];
const FIGURES = ["bitrate", "fps", "size", "keyframes", "dropped"];

class StreamHealth extends HTMLElement {
  connectedCallback() {
    this.words ??= wordsOf(this);
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
    if (status === "live") this.ask();
    else this.blank(status === "reconnecting" ? "lost" : "none");
  }

  async ask() {
    try {
      if (!document.hidden) this.show(await call("GET", `live/${this.dataset.username}/health/`));
    } catch (error) {
      if (error.status === 409) this.blank("starting");
    }
    if (this.dataset.status === "live" && this.isConnected) this.timer = setTimeout(() => this.ask(), EVERY_MS);
  }

  /** @param {any} health */
  show(health) {
    const locale = document.documentElement.lang;
    const number = (value, digits = 1) => new Intl.NumberFormat(locale, { maximumFractionDigits: digits }).format(value);
    const { words } = this;
    part(this, "bitrate").textContent = words("bitrate", { n: number(health.bitrate_bps / 1e6) });
    part(this, "fps").textContent = words("fps", { n: number(health.fps) });
    part(this, "size").textContent = health.width_px ? `${health.width_px} × ${health.height_px}` : "–";
    part(this, "keyframes").textContent = health.keyframe_interval_s ? words("seconds", { n: number(health.keyframe_interval_s) }) : "–";
    part(this, "dropped").textContent = number(health.dropped_frames, 0);
    const advice = (health.advice ?? []).map((code) => words(`advice-${code}`)).filter(Boolean);
    const level = health.verdict === "good" ? "good" : MILD.includes(health.verdict) ? "fair" : "bad";
    this.say(level, words(level));
    const items = advice.map((sentence) => {
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
    this.say(word, this.words(word));
  }

  /**
   * @param {string} verdict
   * @param {string} sentence
   */
  say(verdict, sentence) {
    part(this, "verdict").dataset.verdict = verdict;
    const words = part(this, "verdict-words");
    if (words.textContent !== sentence) words.textContent = sentence;
  }
}

define("stream-health", StreamHealth);
