/** The place that a WebVTT cue asks for, without a browser. */

/**
 * Return the edge of the frame near which a cue stands.
 * A cue names a line from above (0, 1, …), a line from below (−1, …), a share of the
 * height in percent, or nothing (WebVTT 3.1 "line").
 * @param {{line: number | "auto", snapToLines: boolean}} cue
 * @returns {"top" | "bottom"}
 */
export function sideOf({ line, snapToLines }) {
  if (line === "auto") return "bottom";
  const isUpper = snapToLines ? line >= 0 && line < 5 : line < 50;
  return isUpper ? "top" : "bottom";
}
