/** Kept and cut parts of a trim: handles on the time line of a video, with undo. Without a browser. */

/** @typedef {{start: number, end: number}} Section */
/** @typedef {{outer: Section, cuts: Section[]}} Cuts */

/** No part is shorter, kept or cut. */
export const SHORTEST_S = 0.2;
export const MAX_CUTS = 49;
const USUAL_CUT_S = 10;
const UNDO_STEPS = 100;

/** @param {number} seconds in whole milliseconds */
const exact = (seconds) => Math.round(seconds * 1000) / 1000;

export class TrimCuts {
  /** @param {number} duration of the video, in seconds */
  constructor(duration) {
    this.duration = duration;
    /** @type {Cuts} */
    this.now = { outer: { start: 0, end: duration }, cuts: [] };
    /** @type {Cuts[]} */
    this.past = [];
    /** @type {Cuts[]} */
    this.future = [];
  }

  get outer() {
    return this.now.outer;
  }

  /** The sections that are cut from the middle, in order. */
  get cuts() {
    return this.now.cuts;
  }

  /** @returns {Section[]} the kept parts, in order */
  get parts() {
    const { outer, cuts } = this.now;
    const starts = [outer.start, ...cuts.map(({ end }) => end)];
    const ends = [...cuts.map(({ start }) => start), outer.end];
    return starts.map((start, number) => ({ start, end: ends[number] })).filter(({ start, end }) => end > start);
  }

  get length() {
    return exact(this.parts.reduce((sum, { start, end }) => sum + end - start, 0));
  }

  get isChanged() {
    return this.duration - this.length >= SHORTEST_S / 2;
  }

  /** Keep the present state for undo. Call before a change: once for a whole drag. */
  record() {
    this.past = [...this.past, copy(this.now)].slice(-UNDO_STEPS);
    this.future = [];
  }

  undo() {
    const before = this.past.pop();
    if (!before) return;
    this.future.push(this.now);
    this.now = before;
  }

  redo() {
    const after = this.future.pop();
    if (!after) return;
    this.past.push(this.now);
    this.now = after;
  }

  /**
   * Cut a section out at the playhead; return its number, or -1 where there is no room.
   * @param {number} at
   */
  add(at) {
    const room = this.parts.find(({ start, end }) => at >= start && at < end);
    if (!room || this.cuts.length >= MAX_CUTS) return -1;
    // A rest on both sides, so that the cut stays one in the middle.
    const first = exact(room.start + SHORTEST_S);
    const last = exact(room.end - SHORTEST_S);
    if (last - first < SHORTEST_S) return -1;
    const length = Math.min(USUAL_CUT_S, (last - first) / 3, this.duration / 10);
    const start = exact(Math.min(Math.max(at, first), last - Math.max(SHORTEST_S, length)));
    this.record();
    const cut = { start, end: exact(start + Math.max(SHORTEST_S, length)) };
    this.now.cuts = [...this.cuts, cut].sort((one, other) => one.start - other.start);
    return this.cuts.indexOf(cut);
  }

  /** @param {number} number */
  remove(number) {
    this.record();
    this.now.cuts = this.cuts.filter((_, place) => place !== number);
  }

  /**
   * Move one end of a section, as far as its neighbours allow. ``number`` is that of a cut, -1 the whole video's.
   * @param {number} number
   * @param {"start" | "end"} edge
   * @param {number} seconds
   */
  move(number, edge, seconds) {
    const [low, high] = this.bounds(number, edge);
    const section = number < 0 ? this.outer : this.cuts[number];
    section[edge] = exact(Math.min(Math.max(seconds, low), high));
  }

  /**
   * Return between which times an end of a section may lie.
   * @param {number} number
   * @param {"start" | "end"} edge
   * @returns {[number, number]}
   */
  bounds(number, edge) {
    const { outer, cuts } = this.now;
    if (number < 0) {
      const first = cuts[0]?.start ?? outer.end;
      const last = cuts.at(-1)?.end ?? outer.start;
      return edge === "start" ? [0, exact(first - SHORTEST_S)] : [exact(last + SHORTEST_S), this.duration];
    }
    const before = cuts[number - 1]?.end ?? outer.start;
    const after = cuts[number + 1]?.start ?? outer.end;
    const { start, end } = cuts[number];
    return edge === "start"
      ? [exact(before + SHORTEST_S), exact(end - SHORTEST_S)]
      : [exact(start + SHORTEST_S), exact(after - SHORTEST_S)];
  }

  /**
   * Return where a preview goes on from ``at``: the same time where it is kept, else the next kept one, and null at the end.
   * @param {number} at
   * @returns {?number}
   */
  shown(at) {
    for (const { start, end } of this.parts) {
      if (at < start) return start;
      if (at < end) return at;
    }
    return null;
  }
}

/** @param {Cuts} cuts */
function copy({ outer, cuts }) {
  return { outer: { ...outer }, cuts: cuts.map((cut) => ({ ...cut })) };
}
