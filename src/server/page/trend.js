// The trends of one patient: a chart for each sign, with its limits and alarms drawn in. What was not measured is a gap.

import * as api from "./api.js";
import { timeOf } from "./beds.js";
import { make, put } from "./dom.js";
import { PANELS, SIGNS, unitOf } from "./signs.js";
import { clockMinute, language, moment, number, say } from "./words.js";

/** The width of a bucket by the hours shown: some 300 points are enough for a screen. */
const EVERY = { 1: { name: "10s", seconds: 10 }, 6: { name: "1m", seconds: 60 }, 24: { name: "5m", seconds: 300 } };
export const HOURS = Object.keys(EVERY).map(Number);
const HEIGHT = 160;
/** The height of the letters at a limit, in CSS pixels. */
const LETTER = 11;
const PRINT_WIDTH = 660;
/** Between two points further apart than so many buckets, or so many usual distances, nothing was measured. */
const GAP_FACTOR = 3;
const HOUR_MS = 3600_000;
const BAR = { high: 8, medium: 6, low: 4 };

let plot = null;

/** The drawing library, which only a patient's page needs. */
function loadPlot() {
  plot ??= new Promise((resolve, reject) => {
    const style = make("link", { rel: "stylesheet", href: "/assets/vendor/uPlot.min.css" });
    const script = make("script", { src: "/assets/vendor/uPlot.iife.min.js" });
    script.onload = () => resolve(window.uPlot);
    script.onerror = () => reject(new Error("uPlot"));
    document.head.append(style, script);
  });
  return plot;
}

export class Trends {
  constructor(root, id, ward) {
    this.root = root;
    this.id = id;
    this.ward = ward;
    this.hours = HOURS[0];
    this.limits = [];
    this.alarms = [];
    this.buckets = [];
    this.charts = PANELS.map((panel) => new Chart(panel, this));
    root.append(...this.charts.map((chart) => chart.node));
    this.resized = new ResizeObserver(() => this.charts.forEach((chart) => chart.resize()));
    this.resized.observe(root);
    this.print = (event) => this.setPrinting(event.type === "beforeprint");
    addEventListener("beforeprint", this.print);
    addEventListener("afterprint", this.print);
  }

  close() {
    this.resized.disconnect();
    removeEventListener("beforeprint", this.print);
    removeEventListener("afterprint", this.print);
    for (const chart of this.charts) chart.close();
  }

  /** How often the newest values are asked for, ms: a bucket of ten seconds need not be seen sooner. */
  get refreshMs() {
    return Math.max(10, EVERY[this.hours].seconds) * 1000;
  }

  get since() {
    return `-${this.hours}h`;
  }

  async load(hours) {
    this.hours = hours;
    const [library, buckets] = await Promise.all([
      loadPlot(),
      api.buckets(this.id, `-${hours}h`, EVERY[hours].name),
    ]);
    // The user may have gone on to another span meanwhile.
    if (hours !== this.hours) return;
    this.library = library;
    this.buckets = buckets;
    this.to = this.ward.now();
    this.from = this.to - hours * HOUR_MS;
    this.draw();
  }

  setContext(limits, alarms) {
    this.limits = limits;
    this.alarms = alarms;
    this.draw();
  }

  draw() {
    if (this.library) for (const chart of this.charts) chart.draw();
  }

  /** A printed chart is dark on white and as wide as a sheet, whatever the screen looks like. */
  setPrinting(isPrinting) {
    document.documentElement.classList.toggle("printing", isPrinting);
    this.width = isPrinting ? PRINT_WIDTH : null;
    for (const chart of this.charts) chart.resize();
    this.draw();
  }
}

class Chart {
  constructor(panel, trends) {
    this.panel = panel;
    this.trends = trends;
    this.title = make("span", { class: "sign-name" });
    this.facts = make("span", { class: "facts" });
    this.readout = make("span", { class: "readout", "aria-hidden": "true" });
    this.box = make("div", { class: "chart", role: "img" });
    const caption = make("figcaption", {}, this.title, this.facts, this.readout);
    this.node = make("figure", { class: "trend", "data-sign": panel.name }, caption, this.box);
  }

  close() {
    this.plot?.destroy();
  }

  resize() {
    const width = this.trends.width ?? this.box.clientWidth;
    if (this.plot && width > 0 && width !== this.plot.width) this.plot.setSize({ width, height: HEIGHT });
  }

  draw() {
    const data = this.data();
    this.tell(data);
    if (this.plot) {
      this.plot.setData(data);
      return;
    }
    const width = this.trends.width ?? this.box.clientWidth;
    if (width > 0) this.plot = new this.trends.library(this.options(width), data, this.box);
  }

  /** Times, and for each sign the highest, lowest and mean of each bucket. */
  data() {
    const { buckets, hours } = this.trends;
    const known = buckets.filter((bucket) => this.panel.signs.some((sign) => bucket.signs[sign]));
    const times = known.map((bucket) => timeOf(bucket.time) / 1000);
    const gap = GAP_FACTOR * Math.max(EVERY[hours].seconds, usualDistance(times));
    const columns = [[], ...this.panel.signs.flatMap(() => [[], [], []])];
    known.forEach((bucket, at) => {
      if (at > 0 && times[at] - times[at - 1] > gap) {
        columns[0].push((times[at] + times[at - 1]) / 2);
        for (const column of columns.slice(1)) column.push(null);
      }
      columns[0].push(times[at]);
      this.panel.signs.forEach((sign, place) => {
        const values = bucket.signs[sign];
        columns[3 * place + 1].push(values?.max ?? null);
        columns[3 * place + 2].push(values?.min ?? null);
        columns[3 * place + 3].push(values?.mean ?? null);
      });
    });
    return columns;
  }

  /** Says in words what the chart shows: beside it, and to those who cannot see it. */
  tell(data) {
    const sign = say(`sign.${this.panel.name}`);
    const { hours } = this.trends;
    put(this.title, `${sign}`);
    const values = data.slice(1).flat().filter((value) => value !== null);
    if (values.length === 0) {
      put(this.facts, say("trends.none"));
      this.box.setAttribute("aria-label", say("trends.summary.none", { sign, hours }));
      return;
    }
    const decimals = SIGNS[this.panel.signs[0]].decimals;
    const low = number(Math.min(...values), decimals);
    const high = number(Math.max(...values), decimals);
    put(this.facts, say("trends.facts", { low, high, unit: unitOf(this.panel) }));
    const last = data[0].length - 1;
    const text = this.valueAt(data, last);
    const time = moment(data[0][last] * 1000, this.trends.ward.now());
    this.box.setAttribute("aria-label", say("trends.summary", { sign, hours, low, high, last: text, time }));
  }

  valueAt(data, at) {
    const decimals = SIGNS[this.panel.signs[0]].decimals;
    const means = this.panel.signs.map((_, place) => data[3 * place + 3][at]);
    return means.map((mean) => (mean === null || mean === undefined ? "–" : number(mean, decimals))).join("/");
  }

  options(width) {
    const ink = () => colour("--faint");
    const rule = { stroke: () => colour("--rule"), width: 1 };
    const line = () => colour(`--sign-${this.panel.name}`);
    const ticks = { stroke: rule.stroke, width: 1, size: 4 };
    const axis = { stroke: ink, grid: rule, ticks, gap: 3, font: `12px ${getComputedStyle(document.body).fontFamily}` };
    const edge = { show: true, width: 0, points: { show: false } };
    const perSign = [
      edge,
      edge,
      { show: true, stroke: line, width: 1.6, points: { show: isolated, size: 5, fill: line } },
    ];
    return {
      width,
      height: HEIGHT,
      legend: { show: false },
      cursor: { y: false, drag: { x: false, y: false } },
      padding: [14, 8, 0, 0],
      scales: {
        x: { range: () => [this.trends.from / 1000, this.trends.to / 1000] },
        y: { range: (_, low, high) => this.range(low, high) },
      },
      axes: [
        { ...axis, size: 28, values: (_, at) => at.map((s) => clockMinute(s * 1000)) },
        { ...axis, size: 40 },
      ],
      series: [{}, ...this.panel.signs.flatMap(() => perSign)],
      bands: this.panel.signs.map((_, place) => ({
        series: [3 * place + 1, 3 * place + 2],
        fill: () => colour(`--sign-${this.panel.name}`, 0.25),
      })),
      hooks: {
        drawClear: [(u) => this.drawAlarms(u)],
        drawSeries: [(u, at) => at === u.series.length - 1 && this.drawLimits(u)],
        setCursor: [(u) => this.read(u)],
      },
    };
  }

  /** At least the soft range, so that a calm trend looks calm; more where values or limits near it lie outside. */
  range(low, high) {
    const [softLow, softHigh] = SIGNS[this.panel.signs[0]].range;
    const margin = (softHigh - softLow) * 0.06;
    return [Math.min(softLow, (low ?? softLow) - margin), Math.max(softHigh, (high ?? softHigh) + margin)];
  }

  drawAlarms(u) {
    const { ctx, bbox } = u;
    const pxRatio = devicePixelRatio;
    const edge = (ms) => clamp(u.valToPos(ms / 1000, "x", true), bbox.left, bbox.left + bbox.width);
    ctx.save();
    for (const alarm of this.trends.alarms) {
      if (!alarm.signs.some((sign) => this.panel.signs.includes(sign))) continue;
      const left = edge(timeOf(alarm.started ?? alarm.onset));
      const right = edge(timeOf(alarm.ended ?? alarm.returned) ?? this.trends.to);
      if (right <= bbox.left) continue;
      const width = Math.max(right - left, 2 * pxRatio);
      const bar = BAR[alarm.priority] * pxRatio;
      ctx.fillStyle = colour(`--line-${alarm.priority}`, 0.16);
      ctx.fillRect(left, bbox.top, width, bbox.height);
      ctx.fillStyle = colour(`--line-${alarm.priority}`);
      ctx.fillRect(left, bbox.top - bar, width, bar);
    }
    ctx.restore();
  }

  drawLimits(u) {
    const { ctx, bbox } = u;
    const pxRatio = devicePixelRatio;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    ctx.setLineDash([6 * pxRatio, 4 * pxRatio]);
    ctx.lineWidth = 1.4 * pxRatio;
    ctx.font = `${LETTER * pxRatio}px ${getComputedStyle(document.body).fontFamily}`;
    ctx.textAlign = "left";
    for (const limit of this.trends.limits) {
      if (!this.panel.signs.includes(limit.sign)) continue;
      const y = u.valToPos(limit.limit, "y", true);
      if (y < bbox.top || y > bbox.top + bbox.height) continue;
      ctx.strokeStyle = ctx.fillStyle = colour(`--line-${limit.priority}`);
      ctx.beginPath();
      ctx.moveTo(bbox.left, y);
      ctx.lineTo(bbox.left + bbox.width, y);
      ctx.stroke();
      const isAbove = limit.side === "above";
      // On the side where the alarm is, unless it would leave the chart there.
      const room = (isAbove ? y - bbox.top : bbox.top + bbox.height - y) / pxRatio;
      const isOver = isAbove === room >= LETTER + 4;
      ctx.textBaseline = isOver ? "bottom" : "top";
      const name = this.panel.signs.length > 1 ? `${say(`short.${limit.sign}`)} ` : "";
      const text = `${name}${isAbove ? ">" : "<"} ${limit.limit.toLocaleString(language())}`;
      this.write(ctx, text, bbox.left + 4 * pxRatio, y + (isOver ? -2 : 2) * pxRatio);
    }
    ctx.restore();
  }

  /** Letters with a rim of the paper's colour, which stay readable on a line. */
  write(ctx, text, x, y) {
    ctx.save();
    ctx.setLineDash([]);
    ctx.lineWidth = 3 * devicePixelRatio;
    ctx.strokeStyle = colour("--panel", 0.8);
    ctx.strokeText(text, x, y);
    ctx.restore();
    ctx.fillText(text, x, y);
  }

  read(u) {
    const at = u.cursor.idx;
    const isThere = at !== null && at !== undefined && u.data[3][at] !== null;
    put(this.readout, isThere ? `${clockMinute(u.data[0][at] * 1000)}  ${this.valueAt(u.data, at)}` : "");
  }
}

const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

/** The median of the distances between neighbours: sparse readings are no gaps. */
function usualDistance(times) {
  const distances = times.slice(1).map((time, at) => time - times[at]);
  distances.sort((a, b) => a - b);
  return distances[Math.floor(distances.length / 2)] ?? 0;
}

/** A point is drawn where its neighbours are missing, since no line goes to it; all are where there are few. */
const isolated = (u, series) => {
  const values = u.data[series];
  const alone = (at) => values[at] != null && values[at - 1] == null && values[at + 1] == null;
  return values.length < 60 || values.some((_, at) => alone(at));
};

/** A colour of the style sheet as the canvas needs it: resolved for the look that is on. */
function colour(name, alpha = 1) {
  const probe = document.getElementById("main");
  probe.style.setProperty("outline-color", `var(${name})`);
  const [r, g, b] = getComputedStyle(probe).outlineColor.match(/[\d.]+/g);
  probe.style.removeProperty("outline-color");
  return `rgb(${r} ${g} ${b} / ${alpha})`;
}
