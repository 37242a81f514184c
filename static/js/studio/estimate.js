/**
 * Return a duration as people estimate it: half a minute, four minutes, two hours.
 * @param {number} seconds
 * @param {string} [locale]
 */
export function about(seconds, locale) {
  const [value, unit] =
    seconds < 55
      ? [Math.max(10, Math.ceil(seconds / 10) * 10), "second"]
      : seconds < 5400
        ? [Math.max(1, Math.round(seconds / 60)), "minute"]
        : [Math.round(seconds / 1800) / 2, "hour"];
  return new Intl.NumberFormat(locale || undefined, { style: "unit", unit, unitDisplay: "long" }).format(value);
}
