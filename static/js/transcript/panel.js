/**
 * ``<transcript-panel>``: the captions of the video as text. A line goes to its time, the line that plays is marked,
 * and the list follows it until its reader scrolls. The captions are fetched when the panel is opened.
 */

import { define, part } from "#lib/element";
import { wordsOf } from "#lib/words";
import { chosenLanguage, cueAt, marked } from "#transcript/place";
import { parse, plain } from "#transcript/webvtt";

const SEARCH_AFTER_MS = 150;

/** @typedef {{start: number, text: string, row: HTMLElement, words: HTMLElement}} Line */

class TranscriptPanel extends HTMLElement {
  connectedCallback() {
    this.words = wordsOf(this);
    this.player = document.querySelector("[data-player]");
    this.list = part(this, "list");
    this.search = part(this, "search");
    this.language = part(this, "language");
    this.follow = part(this, "follow");
    /** @type {Line[]} */
    this.lines = [];
    /** @type {?Line} */
    this.current = null;
    this.isFollowing = true;
    this.leaving = new AbortController();
    const { signal } = this.leaving;
    const details = this.querySelector("details");
    details.addEventListener("toggle", () => details.open && this.open(), { signal });
    this.language.addEventListener("change", () => this.load(), { signal });
    this.search.addEventListener("input", () => this.searchSoon(), { signal });
    this.follow.addEventListener("click", () => this.setFollowing(true), { signal });
    part(this, "retry").addEventListener("click", () => this.load(), { signal });
    this.list.addEventListener("click", (event) => this.go(event), { signal });
    // Only a person's own scrolling: that of the list itself fires none of these.
    for (const name of ["wheel", "touchmove", "pointerdown"]) {
      this.list.addEventListener(name, (event) => this.leave(event), { signal, passive: true });
    }
    const video = this.player?.querySelector("video");
    for (const name of ["timeupdate", "seeking"]) video?.addEventListener(name, () => this.mark(), { signal });
    if (details.open) this.open();
  }

  disconnectedCallback() {
    this.leaving.abort();
    clearTimeout(this.searching);
  }

  open() {
    if (this.lines.length) {
      this.mark();
      return;
    }
    const tags = [...this.language.options].map((option) => option.value);
    const shown = [...(this.player?.querySelector("video")?.textTracks ?? [])].find((track) => track.mode !== "disabled");
    this.language.value = chosenLanguage(tags, [shown?.language, document.documentElement.lang, ...navigator.languages]);
    this.load();
  }

  async load() {
    const option = this.language.selectedOptions[0];
    this.show("loading");
    try {
      const answer = await fetch(option.dataset.url, { signal: this.leaving.signal });
      if (!answer.ok) throw new TypeError(`captions answered ${answer.status}`);
      const text = await answer.text();
      if (option !== this.language.selectedOptions[0]) return; // another language was chosen meanwhile
      this.fill(parse(text), option.value);
    } catch {
      if (!this.leaving.signal.aborted) this.show("error");
    }
  }

  /**
   * @param {import("#transcript/webvtt").TextCue[]} cues
   * @param {string} tag
   */
  fill(cues, tag) {
    this.current = null;
    this.list.lang = tag;
    const pattern = part(this, "line").content.firstElementChild;
    this.lines = cues.map(({ start, text }) => {
      const row = /** @type {HTMLElement} */ (pattern.cloneNode(true));
      const words = part(row, "words");
      words.textContent = plain(text);
      part(row, "time").textContent = shortClock(start);
      row.dataset.start = String(start);
      return { start, text: words.textContent, row, words };
    });
    this.list.replaceChildren(...this.lines.map(({ row }) => row));
    this.show("list");
    this.filter();
    this.setFollowing(true);
  }

  /** @param {"loading" | "error" | "list"} state */
  show(state) {
    for (const name of ["loading", "error"]) part(this, name).hidden = name !== state;
    this.list.hidden = state !== "list";
  }

  searchSoon() {
    clearTimeout(this.searching);
    this.searching = setTimeout(() => this.filter(), SEARCH_AFTER_MS);
  }

  filter() {
    const query = this.search.value;
    let count = 0;
    for (const line of this.lines) {
      const parts = marked(line.text, query);
      line.row.hidden = !parts;
      if (!parts) continue;
      count += 1;
      if (parts.length === 1 && !parts[0].isMatch) {
        if (line.words.childElementCount) line.words.textContent = line.text;
        continue;
      }
      line.words.replaceChildren(...parts.map(({ text, isMatch }) => (isMatch ? markOf(text) : text)));
    }
    const isSearching = query.trim() !== "";
    part(this, "found").textContent = isSearching ? this.words(count === 1 ? "match" : "matches", { count }) : "";
    if (!isSearching) this.mark(true);
  }

  /** @param {MouseEvent} event */
  go(event) {
    const row = /** @type {HTMLElement} */ (event.target).closest("[data-start]");
    if (!row || !this.player) return;
    this.player.currentTime = Number(/** @type {HTMLElement} */ (row).dataset.start) / 1000;
    this.player.play()?.catch(() => {});
    this.setFollowing(true);
  }

  /** @param {Event} event */
  leave(event) {
    // A press on a line goes there; only one on the bar of the list scrolls.
    if (event.type === "pointerdown" && event.target !== this.list) return;
    this.setFollowing(false);
  }

  /** @param {boolean} isFollowing */
  setFollowing(isFollowing) {
    this.isFollowing = isFollowing;
    this.follow.hidden = isFollowing;
    if (isFollowing) this.mark(true);
  }

  /** @param {boolean} [again] scroll even if the line is the same */
  mark(again = false) {
    if (!this.lines.length || !this.querySelector("details").open) return;
    const now = (this.player?.currentTime ?? 0) * 1000 + 50;
    const line = this.lines[cueAt(this.lines, now)] ?? null;
    if (line !== this.current) {
      this.current?.row.removeAttribute("aria-current");
      line?.row.setAttribute("aria-current", "true");
      this.current = line;
    } else if (!again) return;
    if (line && this.isFollowing && !line.row.hidden) this.reveal(line.row);
  }

  /**
   * Scroll the list, and not the page.
   * @param {HTMLElement} row
   */
  reveal(row) {
    const { list } = this;
    const top = row.offsetTop - list.offsetTop - (list.clientHeight - row.offsetHeight) / 2;
    // A far jump would animate through thousands of lines.
    const isNear = Math.abs(top - list.scrollTop) < list.clientHeight;
    const isCalm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    list.scrollTo({ top, behavior: isNear && !isCalm ? "smooth" : "auto" });
  }
}

/** @param {string} text */
function markOf(text) {
  const mark = document.createElement("mark");
  mark.textContent = text;
  return mark;
}

/** @param {number} ms */
export function shortClock(ms) {
  const seconds = Math.floor(ms / 1000);
  const two = (/** @type {number} */ value) => String(value).padStart(2, "0");
  const minutes = Math.floor(seconds / 60);
  return minutes < 60 ? `${minutes}:${two(seconds % 60)}` : `${Math.floor(minutes / 60)}:${two(minutes % 60)}:${two(seconds % 60)}`;
}

define("transcript-panel", TranscriptPanel);
