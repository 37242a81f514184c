/** The charts of the admin's first page: one question each, in the theme's colours, with a table behind. */

import { define, part } from "#lib/element";
import { wordsOf } from "#lib/words";

const COLOURS = ["--color-accent", "--color-focus", "--color-good"];

/**
 * @typedef {{name: string, counts: number[]}} Line
 * @typedef {{name: string, title: string, question: string, lines: Line[]}} Chart
 */

class AdminCharts extends HTMLElement {
  async connectedCallback() {
    this.words = wordsOf(this);
    /** @type {any[]} charts of ECharts */
    this.drawn = [];
    try {
      const answer = await fetch(this.dataset.url, { headers: { Accept: "application/json" } });
      if (!answer.ok) throw new TypeError(String(answer.status));
      this.show(await answer.json());
    } catch {
      part(this, "charts").textContent = this.words("failed");
      return;
    }
    const dark = matchMedia("(prefers-color-scheme: dark)");
    dark.addEventListener("change", () => this.colour());
    new ResizeObserver(() => this.drawn.forEach(({ picture }) => picture.resize())).observe(this);
  }

  /** @param {{days: string[], charts: Chart[]}} figures */
  show({ days, charts }) {
    this.days = days.map((day) => shortDay(day));
    for (const chart of charts) {
      const section = part(this, "chart").content.cloneNode(true).firstElementChild;
      part(section, "title").textContent = chart.title;
      part(section, "question").textContent = chart.question;
      const summaries = chart.lines.map(({ name, counts }) => this.words("summary", { name, total: total(counts) }));
      part(section, "picture").setAttribute("aria-label", summaries.join(" · "));
      fillTable(section, this.days, chart.lines);
      part(this, "charts").append(section);
      const picture = globalThis.echarts.init(part(section, "picture"), null, { renderer: "svg" });
      this.drawn.push({ picture, chart });
    }
    this.colour();
  }

  colour() {
    for (const { picture, chart } of this.drawn) picture.setOption(optionsOf(chart, this.days, getComputedStyle(this)));
  }
}

/**
 * @param {Chart} chart
 * @param {string[]} days
 * @param {CSSStyleDeclaration} style
 */
function optionsOf({ lines }, days, style) {
  const isStill = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const soft = resolved(style, "--color-text-soft");
  const grid = resolved(style, "--color-line");
  return {
    animation: !isStill,
    animationDuration: 180,
    textStyle: { fontFamily: style.fontFamily },
    color: COLOURS.map((name) => resolved(style, name)),
    grid: { left: 4, right: 12, top: lines.length > 1 ? 36 : 12, bottom: 4, containLabel: true },
    legend: lines.length > 1 ? { left: 0, top: 0, icon: "roundRect", itemWidth: 12, itemHeight: 12, textStyle: { color: soft } } : undefined,
    tooltip: {
      trigger: "axis",
      backgroundColor: resolved(style, "--color-raised"),
      borderColor: grid,
      textStyle: { color: resolved(style, "--color-text") },
    },
    xAxis: { type: "category", data: days, axisLine: { lineStyle: { color: grid } }, axisTick: { show: false }, axisLabel: { color: soft } },
    yAxis: { type: "value", minInterval: 1, splitLine: { lineStyle: { color: grid } }, axisLabel: { color: soft } },
    series: lines.map(({ name, counts }) => ({ name, data: counts, type: "bar", barMaxWidth: 14, barGap: "10%", itemStyle: { borderRadius: [3, 3, 0, 0] } })),
  };
}

/**
 * Return the colour of a token in this theme; the custom property holds both colours.
 * @param {CSSStyleDeclaration} style
 * @param {string} name
 */
function resolved(style, name) {
  const probe = document.createElement("i");
  probe.style.color = style.getPropertyValue(name);
  probe.hidden = true;
  document.body.append(probe);
  const colour = getComputedStyle(probe).color;
  probe.remove();
  return colour;
}

/**
 * @param {ParentNode} section
 * @param {string[]} days
 * @param {Line[]} lines
 */
function fillTable(section, days, lines) {
  for (const { name } of lines) {
    const cell = document.createElement("th");
    cell.scope = "col";
    cell.textContent = name;
    part(section, "head").append(cell);
  }
  // The newest day first, where one looks.
  for (const index of days.keys()) {
    const row = part(section, "rows").insertRow(0);
    for (const value of [days[index], ...lines.map(({ counts }) => counts[index])]) row.insertCell().textContent = String(value);
  }
}

/** @param {number[]} counts */
function total(counts) {
  return counts.reduce((sum, count) => sum + count, 0);
}

/** @param {string} day */
function shortDay(day) {
  const format = new Intl.DateTimeFormat(document.documentElement.lang, { day: "numeric", month: "short", timeZone: "UTC" });
  return format.format(new Date(`${day}T00:00Z`));
}

define("admin-charts", AdminCharts);
