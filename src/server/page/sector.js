// The sector of one bed on the ward screen. Its nodes are made once; later only texts that change are touched.

import { alarmWords, isSilent, patientHash, standing, stars } from "./alarms.js";
import { timeOf } from "./beds.js";
import { attribute, make, mark, put } from "./dom.js";
import { PANELS, SIGNS, unitOf } from "./signs.js";
import { age, ago, clockMinute, number, say, shown } from "./words.js";

const ABSENT = "–";

export class Sector {
  constructor(id) {
    this.id = id;
    this.bed = make("bdi", { class: "bed" });
    this.name = make("bdi", { class: "name" });
    this.age = make("span", { class: "age" });
    this.pause = make("span", { class: "pause" });
    this.stars = make("span", { class: "stars" });
    this.text = make("bdi", { class: "text" });
    this.by = make("span", { class: "by" });
    this.more = make("span", { class: "more" });
    this.alarm = make("span", { class: "alarm" }, this.stars, this.text, this.by, this.more);
    this.panels = PANELS.map((panel) => new Reading(panel));
    this.score = new Score();
    const numbers = make("span", { class: "numbers" }, ...this.panels.map((panel) => panel.node), this.score.node);
    const head = make("span", { class: "head" }, this.bed, this.name, this.pause, this.age);
    this.link = make("a", { class: "sector", href: patientHash(id), "data-patient": id }, head, numbers, this.alarm);
    this.node = make("li", {}, this.link);
  }

  show(bed, ward) {
    const state = ward.stateOf(bed);
    put(this.bed, bed.bed === null ? "" : shown(bed.bed));
    put(this.name, shown(bed.name ?? bed.patient_id));
    attribute(this.name, "title", shown(bed.name ?? bed.patient_id));
    mark(this.link, "state", ward.isLost ? "lost" : state);
    this.showAge(bed, ward, state);
    this.showPause(bed, ward);
    for (const panel of this.panels) panel.show(bed, ward, state);
    this.score.show(bed, ward);
    this.showAlarm(bed, ward);
  }

  showAge(bed, ward, state) {
    let text = "";
    if (state === "absent") text = say("state.nothing");
    else if (state === "stale") text = ago(ward.quietFor(bed));
    put(this.age, [bed.is_admitted ? "" : say("patient.not_admitted"), text].filter(Boolean).join(", "));
  }

  showPause(bed, ward) {
    const isPaused = ward.isPaused(bed);
    put(this.pause, isPaused ? say("paused", { time: clockMinute(timeOf(bed.paused_until)) }) : "");
    mark(this.link, "paused", isPaused ? "yes" : null);
  }

  showAlarm(bed, ward) {
    const alarms = standing(bed, ward);
    const [worst] = alarms;
    put(this.stars, worst ? stars(worst) : "");
    put(this.text, worst ? alarmWords(worst) : "");
    put(this.by, worst?.acknowledged_by ? `✓ ${shown(worst.acknowledged_by)}` : "");
    put(this.more, alarms.length > 1 ? say("alarm.more", { count: alarms.length - 1 }) : "");
    mark(this.link, "priority", worst?.priority ?? null);
    mark(this.link, "silent", worst && isSilent(worst, bed, ward) ? "yes" : null);
    mark(this.link, "over", worst?.state === "returned" ? "yes" : null);
  }
}

/**
 * One big number: of a sign, or of both pressures, under its `short` name or its whole name as a `sign`. A screen reader
 * reads the note too where there is no room for it.
 */
export class Reading {
  constructor(panel, naming = "short") {
    this.panel = panel;
    this.naming = naming;
    this.name = make("span", { class: "short" });
    this.note = make("span", { class: "note" });
    this.value = make("span", { class: "value" });
    this.unit = make("span", { class: "unit" }, unitOf(panel));
    const label = make("span", { class: "label" }, this.name, this.unit, this.note);
    this.node = make("span", { class: "sign", "data-sign": panel.name }, label, this.value);
  }

  show(bed, ward, state) {
    put(this.name, say(`${this.naming}.${this.panel.name}`));
    const known = this.panel.signs.map((sign) => bed.signs[sign]);
    const some = known.filter(Boolean);
    if (some.length === 0) {
      // Of a bed where nothing ever came this is said once.
      this.tell("absent", ABSENT, false, state === "absent" ? "" : say("state.absent"));
      return;
    }
    const text = known.map((value, at) => this.text(value, this.panel.signs[at])).join("/");
    const isDoubtful = some.some((value) => value.is_implausible);
    // A sign may be older than the newest reading: a temperature often is. Of two pressures the older one counts.
    const quiet = ward.now() - Math.min(...some.map((value) => timeOf(value.time)));
    const isOld = quiet > ward.staleAfterMs;
    const notes = [isDoubtful ? say("state.doubt") : "", isOld && state === "fresh" ? age(quiet) : ""];
    this.tell(isDoubtful ? "doubt" : "fresh", text, isOld, notes.filter(Boolean).join(", "));
  }

  text(value, sign) {
    if (!value) return ABSENT;
    return number(value.value, SIGNS[sign].decimals) + (value.is_implausible ? "?" : "");
  }

  tell(state, text, isOld, note) {
    mark(this.node, "state", state);
    mark(this.node, "old", isOld ? "yes" : null);
    put(this.value, text);
    put(this.note, note);
  }
}

/** The early-warning score: its total is the least that it can be where something is missing. */
export class Score {
  constructor() {
    this.name = make("span", { class: "short" });
    this.note = make("span", { class: "note" });
    this.value = make("span", { class: "value" });
    this.level = make("span", { class: "level" });
    const label = make("span", { class: "label" }, this.name, this.note);
    const total = make("span", { class: "total" }, this.value);
    this.node = make("span", { class: "sign score", "data-sign": "score" }, label, total, this.level);
  }

  show(bed, ward) {
    const { score } = bed;
    put(this.name, score?.name ?? "NEWS2");
    mark(this.node, "state", score ? "fresh" : "absent");
    mark(this.node, "level", score?.level ?? null);
    if (!score) {
      put(this.value, ABSENT);
      put(this.note, "");
      put(this.level, "");
      mark(this.node, "old", null);
      return;
    }
    const quiet = ward.now() - timeOf(score.time);
    const level = `${say(`level.${score.level}`)}${score.is_partial ? ` ${say("score.partial")}` : ""}`;
    mark(this.node, "old", quiet > ward.staleAfterMs ? "yes" : null);
    put(this.value, `${score.is_partial ? "≥" : ""}${score.total}`);
    put(this.note, quiet < 60000 ? say("age.now") : age(quiet));
    put(this.level, level);
  }
}
