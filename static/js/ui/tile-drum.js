/** The drum of a tile: the stills of its storyboard, one after the other, over the poster. */

import { parseStoryboard } from "#player/storyboard";

const FRAME_MS = 400;
// A long video has more sheets than a glance is worth.
const MOST_SHEETS = 3;
const MOST_STILLS = 24;

/** @type {WeakMap<HTMLElement, import("#player/storyboard").TimedStill[]>} */
const known = new WeakMap();

/**
 * Play the storyboard of a tile until the returned function is called.
 * @param {HTMLElement} picture with the address of the storyboard
 * @returns {() => void}
 */
export function turn(picture) {
  const drum = document.createElement("span");
  drum.className = "tile-drum";
  let timer = 0;
  let isOver = false;
  framesOf(picture).then((frames) => {
    if (isOver || frames.length < 2) return;
    let place = 0;
    const next = () => {
      show(drum, picture, frames[place]);
      place = (place + 1) % frames.length;
    };
    next();
    picture.append(drum);
    timer = setInterval(next, FRAME_MS);
  }, () => known.delete(picture));
  return () => {
    isOver = true;
    clearInterval(timer);
    drum.remove();
  };
}

/**
 * Return the frames of the drum, their sheets loaded. Raises an error where one is missing.
 * @param {HTMLElement} picture
 */
async function framesOf(picture) {
  let stills = known.get(picture);
  if (!stills) {
    const answer = await fetch(picture.dataset.storyboard);
    if (!answer.ok) throw new Error(String(answer.status));
    stills = chosenStills(parseStoryboard(await answer.text(), new URL(answer.url).href));
    known.set(picture, stills);
  }
  const sheets = new Map();
  for (const { url } of stills) {
    if (!sheets.has(url)) sheets.set(url, Object.assign(new Image(), { src: url }));
  }
  await Promise.all([...sheets.values()].map((sheet) => sheet.decode()));
  return stills.map((still) => ({ ...still, sheetWidth: sheets.get(still.url).naturalWidth }));
}

/**
 * Return stills from all parts of the video, on at most ``MOST_SHEETS`` sheets, in their order.
 * @template {{url: string}} T
 * @param {T[]} stills
 */
export function chosenStills(stills) {
  const sheets = spread([...new Set(stills.map(({ url }) => url))], MOST_SHEETS);
  return spread(stills.filter(({ url }) => sheets.includes(url)), MOST_STILLS);
}

/**
 * Return at most ``most`` items at equal distances, the first one among them.
 * @template T
 * @param {T[]} items
 * @param {number} most
 */
function spread(items, most) {
  const count = Math.min(items.length, most);
  return Array.from({ length: count }, (_none, number) => items[Math.floor((number * items.length) / count)]);
}

/**
 * Draw one still as large as the poster is: landscape fills the tile, portrait stands in its middle.
 * @param {HTMLElement} drum
 * @param {HTMLElement} picture
 * @param {import("#player/storyboard").TimedStill & {sheetWidth: number}} still
 */
function show(drum, picture, still) {
  const across = picture.clientWidth / still.width;
  const along = picture.clientHeight / still.height;
  const scale = still.height > still.width ? Math.min(across, along) : Math.max(across, along);
  Object.assign(drum.style, {
    width: `${still.width * scale}px`,
    height: `${still.height * scale}px`,
    backgroundImage: `url("${still.url}")`,
    backgroundSize: `${still.sheetWidth * scale}px auto`,
    backgroundPosition: `${-still.x * scale}px ${-still.y * scale}px`,
  });
}
