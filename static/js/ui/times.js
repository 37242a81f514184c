/**
 * Times in the reader's own zone. The server writes them in UTC and says so, in
 * ``<time datetime="…" data-local="date|datetime|time|title">``; wherever one comes into the page, it is rewritten.
 */

/** @type {Record<string, Intl.DateTimeFormatOptions>} */
const STYLES = {
  date: { dateStyle: "medium" },
  datetime: { dateStyle: "medium", timeStyle: "short" },
  time: { hour: "2-digit", minute: "2-digit", second: "2-digit" },
  title: { dateStyle: "long", timeStyle: "short" },
};

/**
 * @param {string} iso
 * @param {string} style
 * @param {string} locale
 * @param {string} [timeZone] the reader's, where it is not given
 * @returns {string} empty if the time or the style is unknown
 */
export function local(iso, style, locale, timeZone) {
  const moment = new Date(iso);
  if (!STYLES[style] || Number.isNaN(moment.getTime())) return "";
  return new Intl.DateTimeFormat(locale || undefined, { ...STYLES[style], timeZone }).format(moment);
}

/** @param {ParentNode} root */
export function localize(root) {
  for (const time of root.querySelectorAll("time[data-local]")) {
    const { local: style } = time.dataset;
    const shown = local(time.dateTime, style, document.documentElement.lang);
    if (shown && style === "title") time.title = shown;
    else if (shown) time.textContent = shown;
    delete time.dataset.local;
  }
}

if (typeof document !== "undefined") {
  localize(document);
  new MutationObserver(() => localize(document)).observe(document.body, { childList: true, subtree: true });
}
