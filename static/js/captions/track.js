/**
 * Captions while they are edited: cues in order of time, changes of them, and the way back. It uses no browser.
 *
 * A change makes new arrays and objects, so that undo only puts an older array back.
 */

/** @typedef {{id: number, start: number, end: number, text: string, settings: string}} EditedCue  times in milliseconds */
/** @typedef {"empty" | "overlap" | "fast" | "short" | "long"} Problem */

const MOST_UNDONE = 200;
export const LEAST_MS = 100;
const SHORT_MS = 500;
const LONG_MS = 10_000;
// Characters a second that a reader follows: of an alphabet, and of full width.
const FAST = 25;
const FAST_WIDE = 12;
const NEW_MS = 2000;
const WIDE = /[\u1100-\u11ff\u2e80-\ua4cf\uac00-\ud7af\uf900-\ufaff\uff00-\uff60]/u;

export class EditedTrack {
  /** @param {{start: number, end: number, text: string, settings?: string}[]} cues */
  constructor(cues) {
    this.nextId = 1;
    /** @type {EditedCue[]} */
    this.cues = this._own(cues);
    /** @type {{cues: EditedCue[], key: string}[]} */
    this.undone = [];
    /** @type {{cues: EditedCue[], key: string}[]} */
    this.done = [];
  }

  /** @param {number} id */
  at(id) {
    return this.cues.findIndex((cue) => cue.id === id);
  }

  /**
   * @param {number} id
   * @param {string} text
   */
  setText(id, text) {
    this._change(this.cues.map((cue) => (cue.id === id ? { ...cue, text } : cue)), `text ${id}`);
  }

  /**
   * Move the edges of a cue; the other one gives way, so that a cue always lasts.
   * @param {number} id
   * @param {{start?: number, end?: number}} times
   */
  setTimes(id, times) {
    const cue = this.cues[this.at(id)];
    if (!cue) return;
    let { start, end } = { start: cue.start, end: cue.end, ...times };
    start = Math.max(0, Math.round(start));
    end = Math.max(LEAST_MS, Math.round(end));
    if (end - start < LEAST_MS) {
      if (times.start === undefined) start = Math.max(0, end - LEAST_MS);
      else end = start + LEAST_MS;
    }
    this._change(this.cues.map((other) => (other.id === id ? { ...cue, start, end } : other)), `times ${id}`);
  }

  /**
   * Add an empty cue that ends before the next one begins; return its id.
   * @param {number} ms
   */
  insert(ms) {
    const start = Math.max(0, Math.round(ms));
    const next = this.cues.find((cue) => cue.start > start);
    const end = Math.max(start + SHORT_MS, Math.min(start + NEW_MS, next ? next.start : Infinity));
    const cue = { id: this.nextId++, start, end, text: "", settings: "" };
    this._change([...this.cues, cue]);
    return cue.id;
  }

  /** @param {number} id */
  remove(id) {
    this._change(this.cues.filter((cue) => cue.id !== id));
  }

  /**
   * Split a cue at a place of its text; return the id of the second part, null if there would be none.
   * @param {number} id
   * @param {number} place
   * @param {number} [ms] the moment; without one inside the cue, the share of the text
   */
  split(id, place, ms = -1) {
    const cue = this.cues[this.at(id)];
    const [before, after] = cue ? [cue.text.slice(0, place).trim(), cue.text.slice(place).trim()] : ["", ""];
    if (!before || !after) return null;
    const share = cue.start + ((cue.end - cue.start) * before.length) / (before.length + after.length);
    const isInside = ms >= cue.start + LEAST_MS && ms <= cue.end - LEAST_MS;
    const middle = Math.round(isInside ? ms : share);
    const second = { ...cue, id: this.nextId++, start: middle, text: after };
    const others = this.cues.filter((other) => other.id !== id);
    this._change([...others, { ...cue, end: middle, text: before }, second]);
    return second.id;
  }

  /**
   * Join a cue with the next one.
   * @param {number} id
   */
  merge(id) {
    const at = this.at(id);
    const [cue, next] = [this.cues[at], this.cues[at + 1]];
    if (!cue || !next) return false;
    const isWide = WIDE.test(cue.text.slice(-1)) && WIDE.test(next.text.slice(0, 1));
    const text = [cue.text.trim(), next.text.trim()].filter(Boolean).join(isWide ? "" : " ");
    const joined = { ...cue, end: Math.max(cue.end, next.end), text };
    this._change(this.cues.filter((other) => other.id !== next.id).map((other) => (other.id === id ? joined : other)));
    return true;
  }

  /**
   * Move all cues; none begins before 0.
   * @param {number} ms
   */
  shift(ms) {
    const first = this.cues[0]?.start ?? 0;
    const by = Math.max(Math.round(ms), -first);
    if (by) this._change(this.cues.map((cue) => ({ ...cue, start: cue.start + by, end: cue.end + by })));
  }

  /** @param {{start: number, end: number, text: string, settings?: string}[]} cues instead of all others */
  replace(cues) {
    this._change(this._own(cues));
  }

  undo() {
    return this._back(this.done, this.undone);
  }

  redo() {
    return this._back(this.undone, this.done);
  }

  /**
   * @param {{cues: EditedCue[], key: string}[]} from
   * @param {{cues: EditedCue[], key: string}[]} to
   */
  _back(from, to) {
    const state = from.pop();
    if (!state) return false;
    to.push({ cues: this.cues, key: "" });
    this.cues = state.cues;
    return true;
  }

  /**
   * @param {EditedCue[]} cues
   * @param {string} [key] changes in a row with the same key are undone at once
   */
  _change(cues, key = "") {
    const last = this.done.at(-1);
    if (!key || last?.key !== key) this.done.push({ cues: this.cues, key });
    this.done.splice(0, this.done.length - MOST_UNDONE);
    this.undone = [];
    this.cues = [...cues].sort((a, b) => a.start - b.start || a.end - b.end || a.id - b.id);
  }

  /** @param {{start: number, end: number, text: string, settings?: string}[]} cues */
  _own(cues) {
    return cues.map(({ start, end, text, settings = "" }) => ({ id: this.nextId++, start, end, text, settings }));
  }
}

/**
 * Return the problems of each cue that has some, by id.
 * @param {EditedCue[]} cues in order of time
 */
export function problemsOf(cues) {
  /** @type {Map<number, Problem[]>} */
  const found = new Map();
  let latest = -1;
  for (const { id, start, end, text } of cues) {
    const words = text.replaceAll(/<[^>]*>/g, "").replaceAll(/\s+/g, " ").trim();
    const seconds = (end - start) / 1000;
    /** @type {Problem[]} */
    const problems = [];
    if (!words) problems.push("empty");
    if (start < latest) problems.push("overlap");
    if (seconds * 1000 < SHORT_MS) problems.push("short");
    else if (words.length / seconds > (WIDE.test(words) ? FAST_WIDE : FAST)) problems.push("fast");
    if (end - start > LONG_MS) problems.push("long");
    if (problems.length) found.set(id, problems);
    latest = Math.max(latest, end);
  }
  return found;
}

/**
 * Read a time as people write it: ``1:02:03.5``, ``62.25`` or ``1:02,5``; null if it is none.
 * @param {string} text
 */
export function readTime(text) {
  const match = /^\s*(?:(?:(\d+):)?(\d{1,2}):)?(\d{1,5})(?:[.,](\d{1,3}))?\s*$/.exec(text);
  if (!match) return null;
  const [, hours = "0", minutes = "0", seconds, fraction = "0"] = match;
  return ((Number(hours) * 60 + Number(minutes)) * 60 + Number(seconds)) * 1000 + Number(fraction.padEnd(3, "0"));
}

/**
 * ``writeTime(3_723_040)`` is "1:02:03.040".
 * @param {number} ms
 */
export function writeTime(ms) {
  const two = (/** @type {number} */ value) => String(value).padStart(2, "0");
  const seconds = Math.floor(ms / 1000);
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  const tail = `${two(seconds % 60)}.${String(ms % 1000).padStart(3, "0")}`;
  return hours ? `${hours}:${two(minutes)}:${tail}` : `${minutes}:${tail}`;
}

/**
 * Return the cues as they are sent and exported: words that the file format would end or misread are left out.
 * @param {EditedCue[]} cues
 */
export function sendable(cues) {
  return cues
    .map(({ start, end, text, settings }) => ({
      start,
      end,
      settings,
      text: text.replaceAll("-->", "→").split("\n").map((line) => line.trim()).filter(Boolean).join("\n"),
    }))
    .filter(({ text }) => text);
}
