// The tables of a patient's page: alarms that were, scores with their parts, limits, and data of the patient.

import { acknowledgement, alarmWords, stars } from "./alarms.js";
import { timeOf } from "./beds.js";
import { make, mark } from "./dom.js";
import { SIGNS } from "./signs.js";
import { day, isKnown, language, moment, say, shown } from "./words.js";

/** So many scores are listed, the newest; the time before them is in the export of the command line. */
const SCORES = 24;

export function pastAlarms(root, { alarms, truncated }, now) {
  if (alarms.length === 0) return fill(root, [], [], say("alarms.past.none"));
  const rows = alarms.map((alarm) => [when(alarm, now), starred(alarm, alarmWords(alarm)), acknowledgement(alarm, now)]);
  const columns = ["alarms.when", "alarms.text", "alarms.by"];
  fill(root, columns.map((word) => say(word)), rows, truncated ? say("alarms.past.cut") : "");
}

/** From when to when an alarm stood, or since when it stands. */
function when(alarm, now) {
  const began = moment(timeOf(alarm.started ?? alarm.onset), now);
  const end = timeOf(alarm.ended ?? alarm.returned);
  const text = end === null ? say("alarm.since", { time: began }) : `${began} – ${moment(end, now)}`;
  return make("span", { class: "when" }, text);
}

const starred = (of, text) =>
  make("span", { class: "with-stars", "data-priority": of.priority }, `${stars(of)} `, make("bdi", {}, text));

/** The scores of the time shown, the newest first, one row for each change. */
export function scoresTable(root, { items, scores }, now) {
  if (scores.length === 0) return fill(root, [], [], say("scores.none"));
  const key = (score) => JSON.stringify([score.total, score.parts]);
  const changes = scores.filter((score, at) => at === 0 || key(score) !== key(scores[at - 1]));
  const rows = changes
    .slice(-SCORES)
    .reverse()
    .map((score) => [
      moment(timeOf(score.time), now),
      `${score.is_partial ? "≥" : ""}${score.total}`,
      `${say(`level.${score.level}`)}${score.is_partial ? `, ${say("score.partial")}` : ""}`,
      ...score.parts.map((part) => (part === null ? missing() : points(part))),
    ]);
  const parts = items.map((item) => (isKnown(`item.${item}`) ? say(`item.${item}`) : item));
  const why = changes.some((score) => score.is_partial) ? say("score.partial.why") : "";
  fill(root, [say("scores.time"), say("scores.total"), say("scores.level"), ...parts], rows, why);
}

function missing() {
  const dash = make("span", { "aria-hidden": "true" }, "–");
  return make("span", { class: "faint" }, dash, make("span", { class: "said" }, say("scores.part.missing")));
}

const points = (part) => make("span", { class: part >= 3 ? "points most" : "points" }, String(part));

export function limitsTable(root, limits) {
  if (limits.length === 0) return fill(root, [], [], say("limits.none"));
  const rows = limits.map((limit) => [
    say(`sign.${limit.sign}`),
    say(`limits.${limit.side}`, { limit: withUnit(limit) }),
    starred(limit, say(`level.${limit.priority}`)),
    limit.is_own ? make("strong", {}, say("limits.own.yes")) : "",
  ]);
  const columns = ["limits.sign", "limits.side", "limits.priority", "limits.own"];
  fill(root, columns.map((word) => say(word)), rows, "");
}

const withUnit = ({ limit, sign }) => `${limit.toLocaleString(language())} ${SIGNS[sign]?.unit ?? ""}`.trim();

export function dataList(root, details, now) {
  const facts = [
    ["patient.id", shown(details.patient_id)],
    ["patient.ward", details.ward && shown(details.ward)],
    ["patient.bed", details.bed && shown(details.bed)],
    ["patient.birth", details.birth_date && day(details.birth_date)],
    ["patient.scale", details.spo2_scale && String(details.spo2_scale)],
    ["patient.admitted", details.admitted_at && moment(timeOf(details.admitted_at), now)],
    ["patient.discharged", details.discharged_at && moment(timeOf(details.discharged_at), now)],
  ];
  const known = facts.filter(([, value]) => value);
  const row = ([word, value]) => [make("dt", {}, say(word)), make("dd", {}, make("bdi", {}, value))];
  root.replaceChildren(...known.flatMap(row));
}

/** Fills an element with a table and a note below it; without rows only the note stands there. */
function fill(root, columns, rows, note) {
  const parts = [];
  if (rows.length > 0) {
    const head = make("tr", {}, ...columns.map((text) => make("th", { scope: "col" }, text)));
    const body = rows.map((cells) => make("tr", {}, ...cells.map((cell) => make("td", {}, cell))));
    parts.push(make("table", {}, make("thead", {}, head), make("tbody", {}, ...body)));
  }
  if (note) parts.push(make("p", { class: "faint" }, note));
  root.replaceChildren(...parts);
  mark(root, "rows", String(rows.length));
}
