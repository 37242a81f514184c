/**
 * ``<captions-editor>``: the cues of one language beside the video. Only the chosen cue has fields, so that thousands
 * of rows stay light. Every change is a draft on this device; publishing sends it with the version that it began with.
 */

import { ApiError, call } from "#lib/api";
import { define, part } from "#lib/element";
import { wordsOf } from "#lib/words";
import { readDraft, writeDraft } from "#captions/drafts";
import { EditedTrack, problemsOf, readTime, sendable, writeTime } from "#captions/track";
import { cueAt } from "#transcript/place";
import { parse, unescape, write, writeSubRip } from "#transcript/webvtt";

const DRAFT_AFTER_MS = 600;
const LOOK_BACK_MS = 300;

class CaptionsEditor extends HTMLElement {
  connectedCallback() {
    if (this.words) return;
    // The player brings parts and words of its own.
    this.desk = part(this, "desk");
    this.words = wordsOf(this.desk);
    const { video, language, version } = this.dataset;
    this.place = { video, language };
    this.version = version;
    this.player = this.querySelector("[data-player]");
    this.list = part(this.desk, "list");
    this.track = new EditedTrack([]);
    /** @type {Map<number, HTMLElement>} */
    this.rows = new Map();
    /** @type {Map<number, import("#captions/track").EditedCue>} the cues that the rows show */
    this.shown = new Map();
    /** @type {?number} */
    this.chosen = null;
    /** @type {?number} */
    this.playing = null;
    this.addEventListener("click", (event) => this.onClick(event));
    // Of the whole page: a cue that goes away takes the focus with it.
    document.addEventListener("keydown", (event) => this.onKey(event), { capture: true });
    this.addEventListener("input", (event) => this.onInput(event));
    this.addEventListener("change", (event) => this.onChange(event));
    part(this.desk, "shift").addEventListener("submit", (event) => this.onShift(event));
    const media = this.player.querySelector("video");
    for (const name of ["timeupdate", "seeking"]) media.addEventListener(name, () => this.mark());
    window.addEventListener("beforeunload", (event) => this.onLeave(event));
    this.load();
  }

  /** The position in milliseconds. */
  get now() {
    return Math.round((this.player.currentTime ?? 0) * 1000);
  }

  async load() {
    try {
      this.track = new EditedTrack(this.dataset.url ? read(await (await fetchOk(this.dataset.url)).text()) : []);
    } catch {
      this.fail("unloaded");
      return;
    }
    this.render();
    const draft = readDraft(this.place.video, this.place.language);
    if (!draft) return;
    part(this.desk, "draft-text").textContent = this.words(draft.version === this.version ? "found" : "changed");
    part(this.desk, "draft").hidden = false;
  }

  /** Make the rows fit the cues: new objects are drawn anew, the others keep their rows. */
  render() {
    const { cues } = this.track;
    const pattern = part(this.desk, "row").content.firstElementChild;
    const known = new Set(cues.map(({ id }) => id));
    for (const [id, row] of this.rows) {
      if (known.has(id)) continue;
      row.remove();
      this.rows.delete(id);
      this.shown.delete(id);
    }
    if (this.chosen !== null && !known.has(this.chosen)) this.chosen = null;
    const problems = problemsOf(cues);
    /** @type {?Element} */
    let before = null;
    for (const cue of cues) {
      let row = this.rows.get(cue.id);
      if (!row) {
        row = /** @type {HTMLElement} */ (pattern.cloneNode(true));
        row.dataset.id = String(cue.id);
        this.rows.set(cue.id, row);
      }
      if (this.shown.get(cue.id) !== cue) this.draw(row, cue);
      this.drawProblems(row, problems.get(cue.id) ?? []);
      /** @type {?Element} */
      const wanted = before ? before.nextElementSibling : this.list.firstElementChild;
      if (wanted !== row) this.list.insertBefore(row, wanted);
      before = row;
    }
    part(this.desk, "nothing").hidden = cues.length > 0;
    part(this.desk, "problems").hidden = !problems.size;
    part(this.desk, "problem-count").textContent = this.words(problems.size === 1 ? "problem" : "problems", { count: problems.size });
    this.problems = problems;
    this.button("undo").disabled = !this.track.done.length;
    this.button("redo").disabled = !this.track.undone.length;
    this.button("publish").disabled = !this.isChanged || this.isPublishing;
    this.mark();
  }

  /** Return whether the cues differ from the published ones. */
  get isChanged() {
    return this.track.done.length > 0 || this.isDraft;
  }

  /**
   * @param {HTMLElement} row
   * @param {import("#captions/track").EditedCue} cue
   */
  draw(row, cue) {
    this.shown.set(cue.id, cue);
    part(row, "time").textContent = writeTime(cue.start);
    part(row, "text").textContent = cue.text || this.words("placeholder");
    part(row, "text").classList.toggle("soft", !cue.text);
    const form = part(row, "cue-form");
    if (form) this.fill(form, cue);
  }

  /**
   * Fill the fields, but not the one in which a person writes.
   * @param {HTMLElement} form
   * @param {import("#captions/track").EditedCue} cue
   */
  fill(form, cue) {
    const values = { "text-input": cue.text, start: writeTime(cue.start), end: writeTime(cue.end) };
    for (const [name, value] of Object.entries(values)) {
      const field = /** @type {HTMLInputElement} */ (/** @type {unknown} */ (part(form, name)));
      const isTheirs = field === document.activeElement && (name !== "text-input" || field.value === value);
      if (!isTheirs && field.value !== value) field.value = value;
      field.removeAttribute("aria-invalid");
    }
  }

  /**
   * @param {HTMLElement} row
   * @param {string[]} problems
   */
  drawProblems(row, problems) {
    const note = part(row, "cue-problems");
    const text = problems.map((problem) => this.words(problem)).join(" · ");
    if (note.textContent !== text) note.textContent = text;
    note.hidden = !text;
  }

  /**
   * @param {?number} id
   * @param {{focus?: boolean, seek?: boolean}} [options]
   */
  choose(id, { focus = true, seek = false } = {}) {
    const before = this.rows.get(this.chosen ?? -1);
    if (before && this.chosen !== id) {
      before.classList.remove("is-chosen");
      part(before, "cue-form")?.remove();
    }
    this.chosen = id;
    const row = this.rows.get(id ?? -1);
    const cue = this.track.cues[this.track.at(id ?? -1)];
    if (!row || !cue) return;
    if (!part(row, "cue-form")) {
      row.classList.add("is-chosen");
      row.append(part(this.desk, "form").content.cloneNode(true));
      this.fill(part(row, "cue-form"), cue);
    }
    row.scrollIntoView({ block: "nearest" });
    if (seek) this.player.currentTime = cue.start / 1000 + 0.001;
    if (focus) part(row, "text-input").focus({ preventScroll: true });
  }

  /** Show a change, and keep it as a draft. */
  changed() {
    this.render();
    part(this.desk, "error").hidden = true;
    this.isUnsaved = true;
    clearTimeout(this.drafting);
    this.drafting = setTimeout(() => this.saveDraft(), DRAFT_AFTER_MS);
  }

  saveDraft() {
    clearTimeout(this.drafting);
    const draft = { version: this.version, cues: this.track.cues.map(({ start, end, text, settings }) => ({ start, end, text, settings })) };
    const isKept = writeDraft(this.place.video, this.place.language, draft);
    this.isUnsaved = !isKept;
    this.say(isKept ? "draft" : "no-draft");
  }

  /** @param {BeforeUnloadEvent} event */
  onLeave(event) {
    if (this.isUnsaved) this.saveDraft();
    if (this.isUnsaved) event.preventDefault(); // this device keeps no drafts
  }

  async publish() {
    if (this.isPublishing || !this.isChanged) return;
    this.isPublishing = true;
    this.saveDraft();
    this.say("publishing");
    const { track } = this;
    const { cues } = track;
    try {
      const body = { webvtt: write(sendable(cues)), based_on: this.version };
      const stored = await call("PUT", `videos/${this.place.video}/captions/${this.place.language}/`, body);
      this.version = stored.version;
      if (track.cues === cues) {
        writeDraft(this.place.video, this.place.language, null);
        this.isUnsaved = false;
        this.isDraft = false;
        track.done = [];
        track.undone = [];
      }
      this.say("published");
    } catch (error) {
      this.say("draft");
      this.fail("failed", error instanceof ApiError ? error.message : "");
      if (error instanceof ApiError && error.code === "captions_changed") await this.meetChange();
    } finally {
      this.isPublishing = false;
      this.render();
    }
  }

  /** Learn the version that others published, so that the person decides whose captions stay. */
  async meetChange() {
    const { results } = await call("GET", `videos/${this.place.video}/captions/`);
    const found = results.find((/** @type {{language: string}} */ track) => track.language === this.place.language);
    this.version = found?.version ?? "";
    this.dataset.url = found?.url ?? "";
    part(this.desk, "draft-text").textContent = this.words("changed");
    part(this.desk, "draft").hidden = false;
  }

  /** Continue with the draft of this device. */
  keep() {
    const draft = readDraft(this.place.video, this.place.language);
    part(this.desk, "draft").hidden = true;
    part(this.desk, "error").hidden = true;
    if (draft && !this.track.done.length) this.track.replace(draft.cues);
    this.isDraft = true;
    this.render();
  }

  /** Drop the draft, and show the captions as they are published. */
  async discard() {
    writeDraft(this.place.video, this.place.language, null);
    this.isUnsaved = false;
    this.isDraft = false;
    part(this.desk, "draft").hidden = true;
    part(this.desk, "error").hidden = true;
    this.say("");
    await this.load();
  }

  /** @param {string} word */
  say(word) {
    part(this.desk, "state").textContent = this.words(word);
  }

  /**
   * @param {string} word
   * @param {string} [sentence] the server's, which is better
   */
  fail(word, sentence = "") {
    part(this.desk, "error").textContent = sentence || this.words(word);
    part(this.desk, "error").hidden = false;
  }

  /**
   * @param {string} name
   * @returns {HTMLButtonElement}
   */
  button(name) {
    return /** @type {HTMLButtonElement} */ (this.querySelector(`[data-do="${name}"]`));
  }

  /** @param {Event} event */
  onClick(event) {
    const button = /** @type {HTMLElement} */ (/** @type {Element} */ (event.target).closest("[data-do]"));
    if (!button || this.player.contains(button)) return;
    const row = /** @type {HTMLElement} */ (button.closest("[data-id]"));
    if (button.dataset.do === "select") this.choose(Number(row.dataset.id), { seek: true, focus: !matchMedia("(pointer: coarse)").matches });
    else this.act(button.dataset.do);
    if (button.closest(".editor-menu")) this.querySelector(".editor-more").removeAttribute("open");
  }

  /** @param {string} name */
  act(name) {
    const { chosen, track } = this;
    const cue = track.cues[track.at(chosen ?? -1)];
    /** @type {Record<string, () => void>} */
    const acts = {
      undo: () => this.goInHistory(() => track.undo()),
      redo: () => this.goInHistory(() => track.redo()),
      insert: () => this.insert(),
      publish: () => this.publish(),
      keep: () => this.keep(),
      discard: () => this.discard(),
      keys: () => /** @type {HTMLDialogElement} */ (/** @type {unknown} */ (part(this.desk, "keys"))).showModal(),
      problem: () => this.nextProblem(),
      "export-vtt": () => save(write(sendable(track.cues)), `${this.place.video}.${this.place.language}.vtt`),
      "export-srt": () => save(writeSubRip(sendable(track.cues)), `${this.place.video}.${this.place.language}.srt`),
      play: () => this.playCue(),
    };
    /** @type {Record<string, () => void>} */
    const actsOnCue = {
      split: () => this.split(),
      merge: () => track.merge(chosen) && this.changed(),
      remove: () => this.remove(),
      "start-now": () => this.setTimes({ start: this.now }),
      "end-now": () => this.setTimes({ end: this.now }),
    };
    (acts[name] ?? (cue ? actsOnCue[name] : undefined))?.();
  }

  /**
   * Go a step, and show the cue that it changed.
   * @param {() => boolean} step
   */
  goInHistory(step) {
    const before = new Set(this.track.cues);
    if (!step()) return;
    this.changed();
    const cue = this.track.cues.find((other) => !before.has(other));
    if (cue) this.choose(cue.id);
  }

  insert() {
    const id = this.track.insert(this.now);
    this.changed();
    this.choose(id);
  }

  split() {
    const area = /** @type {HTMLTextAreaElement} */ (/** @type {unknown} */ (part(this.list, "text-input")));
    const middle = area.value.indexOf(" ", area.value.length / 2);
    const isInside = area.selectionStart > 0 && area.selectionStart < area.value.length;
    const id = this.track.split(this.chosen, isInside ? area.selectionStart : middle < 0 ? Math.ceil(area.value.length / 2) : middle, this.now);
    if (id === null) return;
    this.changed();
    this.choose(id);
  }

  remove() {
    const at = this.track.at(this.chosen);
    this.track.remove(this.chosen);
    this.changed();
    const next = this.track.cues[Math.min(at, this.track.cues.length - 1)];
    if (next) this.choose(next.id);
  }

  /** @param {{start?: number, end?: number}} times */
  setTimes(times) {
    this.track.setTimes(this.chosen, times);
    this.changed();
    this.rows.get(this.chosen)?.scrollIntoView({ block: "nearest" });
  }

  playCue() {
    const cue = this.track.cues[this.track.at(this.chosen ?? -1)];
    if (cue && (this.now < cue.start || this.now >= cue.end)) this.player.currentTime = Math.max(0, cue.start - LOOK_BACK_MS) / 1000;
    if (this.player.paused) this.player.play()?.catch(() => {});
    else this.player.querySelector("video").pause();
  }

  nextProblem() {
    const { cues } = this.track;
    const at = this.track.at(this.chosen ?? -1);
    const found = [...cues.slice(at + 1), ...cues].find(({ id }) => this.problems.has(id));
    if (found) this.choose(found.id, { seek: true });
  }

  /** @param {number} by */
  step(by) {
    const { cues } = this.track;
    const at = this.chosen === null ? cueAt(cues, this.now) : this.track.at(this.chosen) + by;
    const cue = cues[Math.min(Math.max(at, 0), cues.length - 1)];
    if (cue) this.choose(cue.id, { seek: true });
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    const name = shortcut(event);
    if (!name || document.querySelector("dialog[open]")) return;
    event.preventDefault();
    event.stopPropagation();
    if (name === "previous") this.step(-1);
    else if (name === "next") this.step(1);
    else this.act(name);
  }

  /** @param {Event} event */
  onInput(event) {
    const field = /** @type {HTMLTextAreaElement} */ (event.target);
    if (field.dataset.part !== "text-input" || this.chosen === null) return;
    this.track.setText(this.chosen, field.value);
    this.changed();
  }

  /** @param {Event} event */
  async onChange(event) {
    const field = /** @type {HTMLInputElement} */ (event.target);
    if (field.dataset.part === "file" && field.files?.[0]) {
      const cues = read(await field.files[0].text());
      field.value = "";
      if (!cues.length) return this.fail("unreadable");
      this.track.replace(cues);
      this.changed();
    }
    if (field.dataset.part !== "start" && field.dataset.part !== "end") return;
    const ms = readTime(field.value);
    if (ms === null) {
      field.setAttribute("aria-invalid", "true");
      return;
    }
    this.setTimes({ [field.dataset.part]: ms });
    const cue = this.track.cues[this.track.at(this.chosen)];
    field.value = writeTime(cue[field.dataset.part]);
  }

  /** @param {SubmitEvent} event */
  onShift(event) {
    event.preventDefault();
    const field = /** @type {HTMLInputElement} */ (/** @type {HTMLFormElement} */ (event.target).elements.namedItem("by"));
    this.track.shift(Number(field.value) * 1000);
    field.value = "0";
    this.changed();
    this.querySelector(".editor-more").removeAttribute("open");
  }

  /** Mark the cue at the playhead, and show it below the video. */
  mark() {
    const { cues } = this.track;
    const cue = cues[cueAt(cues, this.now)];
    const isShown = cue && this.now < cue.end;
    const id = isShown ? cue.id : null;
    part(this, "preview").textContent = isShown ? unescape(cue.text.replaceAll(/<[^>]*>/g, "")) : "";
    if (id === this.playing) return;
    this.rows.get(this.playing ?? -1)?.removeAttribute("aria-current");
    this.playing = id;
    const row = this.rows.get(id ?? -1);
    row?.setAttribute("aria-current", "true");
    // While somebody writes, the list stays.
    if (row && !this.list.contains(document.activeElement)) row.scrollIntoView({ block: "nearest" });
  }
}

/** @param {KeyboardEvent} event */
function shortcut(event) {
  const isCommand = event.ctrlKey || event.metaKey;
  const key = event.key.toLowerCase();
  if (isCommand && !event.altKey) {
    if (key === "z") return event.shiftKey ? "redo" : "undo";
    return { y: "redo", s: "publish", enter: "play" }[key] ?? "";
  }
  if (!event.altKey || isCommand) return "";
  // The code, too: with Alt a Mac types other letters.
  const byCode = { KeyN: "insert", KeyM: "merge", BracketLeft: "start-now", BracketRight: "end-now" };
  const byKey = { arrowup: "previous", arrowdown: "next", enter: "split", backspace: "remove" };
  return byCode[/** @type {keyof typeof byCode} */ (event.code)] ?? byKey[/** @type {keyof typeof byKey} */ (key)] ?? "";
}

/**
 * Return the cues of a file with their words as people write them.
 * @param {string} text
 */
function read(text) {
  return parse(text).map((cue) => ({ ...cue, text: unescape(cue.text) }));
}

/** @param {string} url */
async function fetchOk(url) {
  const answer = await fetch(url);
  if (!answer.ok) throw new TypeError(`captions answered ${answer.status}`);
  return answer;
}

/**
 * Let the browser store a text as a file.
 * @param {string} text
 * @param {string} name
 */
function save(text, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "text/plain" }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

define("captions-editor", CaptionsEditor);
