/** The commands of keys, without a browser. */

/**
 * @typedef {{do: string, value?: number}} Command
 */

/** @type {Record<string, Command>} */
const COMMANDS = {
  " ": { do: "play" },
  k: { do: "play" },
  j: { do: "skip", value: -10 },
  l: { do: "skip", value: 10 },
  ArrowLeft: { do: "skip", value: -5 },
  ArrowRight: { do: "skip", value: 5 },
  ArrowUp: { do: "louder", value: 0.05 },
  ArrowDown: { do: "louder", value: -0.05 },
  m: { do: "mute" },
  f: { do: "fullscreen" },
  t: { do: "theatre" },
  i: { do: "pip" },
  c: { do: "captions" },
  d: { do: "danmaku" },
  r: { do: "loop" },
  b: { do: "section" },
  "<": { do: "faster", value: -1 },
  ">": { do: "faster", value: 1 },
  ",": { do: "frame", value: -1 },
  ".": { do: "frame", value: 1 },
  Home: { do: "seek", value: 0 },
  End: { do: "seek", value: 1 },
  "?": { do: "keys" },
};

/**
 * @param {{key: string, ctrlKey?: boolean, metaKey?: boolean, altKey?: boolean}} event
 * @returns {?Command}
 */
export function commandOf({ key, ctrlKey, metaKey, altKey }) {
  if (ctrlKey || metaKey || altKey) return null;
  if (/^[0-9]$/.test(key)) return { do: "seek", value: Number(key) / 10 };
  const name = key.length === 1 ? key.toLowerCase() : key;
  return Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : null;
}

export const SPEEDS = [0.25, 0.5, 0.75, 1, 1.25, 1.5, 1.75, 2];

/**
 * Return the next speed up or down.
 * @param {number} speed
 * @param {number} step
 */
export function nextSpeed(speed, step) {
  const further = step > 0 ? SPEEDS.find((s) => s > speed) : SPEEDS.findLast((s) => s < speed);
  return further ?? speed;
}
