// The page of one patient: numbers, alarms, trends, scores, limits and data.

import { pause, problemWords, resume } from "./acts.js";
import { AlarmList } from "./alarmlist.js";
import * as api from "./api.js";
import { timeOf } from "./beds.js";
import { make, mark, put } from "./dom.js";
import { Reading, Score } from "./sector.js";
import { mayAct } from "./session.js";
import { PANELS } from "./signs.js";
import { dataList, limitsTable, pastAlarms, scoresTable } from "./tables.js";
import { HOURS, Trends } from "./trend.js";
import { age, clockMinute, say, shown } from "./words.js";

/** Data and limits of a patient change seldom, and no event tells of it. */
const DETAILS_MS = 30_000;

export class PatientPage {
  constructor(ward, id) {
    this.ward = ward;
    this.id = id;
    this.hours = HOURS[0];
    this.details = null;
    this.list = new AlarmList(ward, (doing) => this.act(doing));
    this.build();
    this.trends = new Trends(this.charts, id, ward);
    this.timers = [setInterval(() => this.loadDetails(), DETAILS_MS)];
  }

  /** After the page is in the document: charts need to know how much room they have. */
  open() {
    put(this.name, shown(this.id));
    this.show();
    this.loadDetails();
    this.chooseHours(this.hours);
  }

  close() {
    this.isClosed = true;
    this.timers.forEach(clearInterval);
    clearTimeout(this.next);
    this.trends.close();
  }

  build() {
    const panels = PANELS.map((panel) => new Reading(panel, "sign"));
    this.numbers = [...panels, new Score()];
    const now = make("div", { class: "numbers" }, ...this.numbers.map((number) => number.node));
    this.scores = table("scores");
    this.pastTitle = make("h2");
    this.past = table("alarms");
    this.limits = table("limits");
    this.data = make("dl", { class: "data" });
    this.node = make(
      "article",
      { class: "patient" },
      this.buildHead(),
      part("now", "now", now),
      this.list.node,
      this.buildTrends(),
      part("scores", "scores", this.scores),
      make("section", { class: "part past" }, this.pastTitle, this.past),
      part("limits", "limits", this.limits),
      part("patient.data", "person", this.data),
    );
  }

  buildHead() {
    this.name = make("bdi");
    this.place = make("p", { class: "place" });
    this.state = make("p", { class: "state" });
    this.resumeButton = button("resume", () => this.act(() => resume(this.id)));
    this.csv = make("a", { class: "button", "data-word": "export", download: true });
    this.pauseButton = button("pause", () => this.act(() => pause(this.id)));
    this.pauseButton.hidden = this.resumeButton.hidden = true;
    const tools = [this.pauseButton, this.resumeButton, this.csv, button("print", () => print())];
    const back = make("a", { href: "#/", class: "back", "data-word": "back" });
    const title = make("h1", { tabindex: "-1" }, this.name);
    const buttons = make("p", { class: "buttons" }, ...tools);
    return make("div", { class: "patient-head" }, back, title, this.place, this.state, buttons);
  }

  buildTrends() {
    this.charts = make("div", { class: "charts" });
    this.trendMessage = make("p", { class: "problem", role: "status" });
    this.spanButtons = HOURS.map((hours) => button(null, () => this.chooseHours(hours)));
    const span = make("div", { class: "span", role: "group", "data-word-label": "trends.span" }, ...this.spanButtons);
    const legend = make("p", { class: "faint", "data-word": "trends.legend" });
    return part("trends", "trends", span, this.trendMessage, this.charts, legend);
  }

  /** The bed as the stream told it last; a patient who has left the ward is known from the details alone. */
  get bed() {
    return this.ward.beds.get(this.id) ?? this.details;
  }

  show() {
    HOURS.forEach((hours, at) => put(this.spanButtons[at], say("trends.hours", { count: hours })));
    const bed = this.bed;
    if (!bed) return;
    put(this.name, shown(bed.name ?? bed.patient_id));
    put(this.place, placeWords(bed));
    const state = this.ward.stateOf(bed);
    mark(this.node, "state", this.ward.isLost ? "lost" : state);
    put(this.state, this.stateWords(bed, state));
    for (const number of this.numbers) number.show(bed, this.ward, state);
    // The table of past alarms is read anew when one begins, ends or is acknowledged.
    if (this.list.show(bed) && this.alarms) this.loadPast();
    const isPaused = this.ward.isPaused(bed);
    this.pauseButton.hidden = !mayAct();
    this.resumeButton.hidden = !isPaused || !mayAct();
    // Who paused, and why, is in the details alone.
    if (this.pausedUntil !== undefined && this.pausedUntil !== bed.paused_until) this.loadDetails();
    this.pausedUntil = bed.paused_until;
  }

  stateWords(bed, state) {
    const words = [];
    if (state === "absent") words.push(say("state.nothing"));
    if (state === "stale") words.push(say("state.quiet", { age: age(this.ward.quietFor(bed)) }));
    if (!bed.is_admitted) words.push(say(this.details?.discharged_at ? "patient.left" : "patient.not_admitted"));
    if (this.ward.isPaused(bed)) words.push(this.pauseWords(bed));
    return words.join(". ");
  }

  pauseWords(bed) {
    const time = clockMinute(timeOf(bed.paused_until));
    const pause = this.details?.pause;
    if (!pause) return say("paused", { time });
    return say("paused.by", { time, by: shown(pause.by), reason: shown(pause.reason || say("paused.no_reason")) });
  }

  /** Does something that the server may refuse, and says so. */
  async act(doing) {
    this.list.tell("");
    try {
      await doing();
    } catch (error) {
      this.list.tell(problemWords(error));
    }
    this.show();
    this.loadDetails();
  }

  async loadDetails() {
    try {
      const details = await api.patient(this.id);
      if (this.isClosed) return;
      this.details = details;
    } catch (error) {
      if (this.bed) return;
      put(this.state, error.status === 404 ? say("patient.unknown") : problemWords(error));
      mark(this.node, "unknown", "yes");
      return;
    }
    mark(this.node, "unknown", null);
    limitsTable(this.limits, this.details.limits);
    dataList(this.data, this.details, this.ward.now());
    this.trends.setContext(this.details.limits, this.alarms ?? []);
    this.show();
  }

  /** Alarms and scores of the time shown. */
  async loadPast() {
    const span = { since: this.trends.since };
    try {
      const [alarms, scores] = await Promise.all([api.alarms(this.id, span), api.scores(this.id, span)]);
      if (this.isClosed) return;
      this.alarms = alarms.alarms;
      put(this.pastTitle, say("alarms.past", { hours: this.hours }));
      pastAlarms(this.past, alarms, this.ward.now());
      scoresTable(this.scores, scores, this.ward.now());
      this.trends.setContext(this.details?.limits ?? [], this.alarms);
    } catch {
      // The trends say what went wrong.
    }
  }

  async chooseHours(hours) {
    this.hours = hours;
    HOURS.forEach((choice, at) => this.spanButtons[at].setAttribute("aria-pressed", String(choice === hours)));
    this.csv.setAttribute("href", api.csv(this.id, `-${hours}h`));
    await this.loadTrends();
    await this.loadPast();
  }

  async loadTrends() {
    clearTimeout(this.next);
    try {
      if (!document.hidden) await this.trends.load(this.hours);
      put(this.trendMessage, "");
    } catch (error) {
      put(this.trendMessage, say("trends.failed", { detail: problemWords(error) }));
    }
    if (!this.isClosed) this.next = setTimeout(() => this.loadTrends(), this.trends.refreshMs);
  }
}

function button(word, act) {
  const element = make("button", { type: "button", "data-word": word });
  element.addEventListener("click", act);
  return element;
}

const part = (word, name, ...children) =>
  make("section", { class: `part ${name}` }, make("h2", { "data-word": word }), ...children);

/** A place for a table that scrolls by itself, also with keys. */
const table = (word) => make("div", { class: "wide", tabindex: "0", role: "group", "data-word-label": word });

function placeWords(bed) {
  const place = [["patient.bed", bed.bed], ["patient.ward", bed.ward], ["patient.id", bed.patient_id]];
  const known = place.filter(([, value]) => value !== null);
  return known.map(([word, value]) => `${say(word)} ${shown(value)}`).join(" · ");
}
