/** A storyboard: WebVTT whose cues name stills on sheets, read once somebody points at the seek bar. */

/** @typedef {{url: string, x: number, y: number, width: number, height: number}} Still */
/** @typedef {Still & {start: number}} TimedStill */

const CUE = /([\d:.]+)[ \t]+-->[^\n]*\n(\S+)#xywh=(\d+),(\d+),(\d+),(\d+)/g;
const RETRY_MS = 20_000;

/**
 * Return the stills of a WebVTT in their order; those without a rectangle are left out.
 * @param {string} text
 * @param {string} base the address that relative names count from
 * @returns {TimedStill[]}
 */
export function parseStoryboard(text, base) {
  return [...text.replaceAll("\r\n", "\n").matchAll(CUE)].map(([, start, name, ...place]) => {
    const [x, y, width, height] = place.map(Number);
    return { start: seconds(start), url: new URL(name, base).href, x, y, width, height };
  });
}

/** @param {string} time as in WebVTT: hours are optional */
function seconds(time) {
  return time.split(":").reduce((sum, share) => sum * 60 + Number(share), 0);
}

/**
 * Return the still on screen at a time; null before the first one.
 * @param {TimedStill[]} stills in order
 * @param {number} time in seconds
 * @returns {?Still}
 */
export function stillAt(stills, time) {
  let low = 0;
  let high = stills.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (stills[middle].start <= time) low = middle + 1;
    else high = middle;
  }
  return stills[low - 1] ?? null;
}

export class Storyboard {
  /**
   * @param {string} [src] empty: there is no storyboard
   * @param {(src: string) => Promise<string>} [read]
   */
  constructor(src = "", read = readText) {
    this.src = src;
    this.read = read;
    /** Time in the video (s) at which the player begins: the stills of a clip are those of its video. */
    this.begins_s = 0;
    /** @type {TimedStill[]} */
    this.stills = [];
    this.triedAt = Number.NEGATIVE_INFINITY;
    /** @type {Map<string, HTMLImageElement>} */
    this.sheets = new Map();
  }

  /** Read the index if nobody has; after a failure, not again for a while. */
  async open() {
    if (!this.src || this.stills.length || performance.now() - this.triedAt < RETRY_MS) return;
    this.triedAt = performance.now();
    try {
      this.stills = parseStoryboard(await this.read(this.src), new URL(this.src, document.baseURI).href);
    } catch {
      // A preview is dispensable.
    }
  }

  /** Forget the stills whose addresses have expired, so that the next ``open`` reads new ones. */
  expire() {
    this.stills = [];
    this.sheets.clear();
  }

  /**
   * Draw a still as the background of an element, ``scale`` times as large as it is stored. If its
   * sheet is not there yet, fetch it and call ``again`` once it is, or once it turns out to be lost.
   * @param {HTMLElement} element
   * @param {Still} still
   * @param {number} scale
   * @param {() => void} again
   */
  draw(element, still, scale, again) {
    const { style } = element;
    style.width = `${still.width * scale}px`;
    style.height = `${still.height * scale}px`;
    const sheet = this.sheet(still.url, again);
    if (!sheet.complete || !sheet.naturalWidth) {
      style.backgroundImage = "";
      return;
    }
    style.backgroundImage = `url("${still.url}")`;
    style.backgroundSize = `${sheet.naturalWidth * scale}px auto`;
    style.backgroundPosition = `${-still.x * scale}px ${-still.y * scale}px`;
  }

  /**
   * @param {string} url
   * @param {() => void} again
   */
  sheet(url, again) {
    let sheet = this.sheets.get(url);
    if (!sheet) {
      sheet = new Image();
      sheet.addEventListener("error", () => this.expire(), { once: true });
      sheet.src = url;
      this.sheets.set(url, sheet);
    }
    if (!sheet.complete) for (const name of ["load", "error"]) sheet.addEventListener(name, again, { once: true });
    return sheet;
  }

  /** @param {number} time in seconds */
  at(time) {
    return stillAt(this.stills, time + this.begins_s);
  }
}

/** @param {string} src */
async function readText(src) {
  const answer = await fetch(src);
  if (!answer.ok) throw new Error(String(answer.status));
  return answer.text();
}
