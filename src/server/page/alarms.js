// The order of alarms, their marks, and the one banner for the worst alarm of the ward.

import { timeOf } from "./beds.js";
import { byId, make, mark, put } from "./dom.js";
import { alarmText, moment, say, sayCount, shown } from "./words.js";

const RANKS = { high: 0, medium: 1, low: 2 };
const STARS = { high: "***", medium: "**", low: "*" };

export const stars = (alarm) => STARS[alarm.priority];

/** An alarm neither sounds nor flashes when somebody has acknowledged it, or while the bed is paused. */
export const isSilent = (alarm, bed, ward) => alarm.acknowledged_at !== null || ward.isPaused(bed);

/** The alarms of a bed that still stand, the most pressing first: whoever waits for an answer before all others. */
export function standing(bed, ward) {
  return bed.alarms
    .filter((alarm) => alarm.state !== "ended")
    .sort(
      (a, b) =>
        isSilent(a, bed, ward) - isSilent(b, bed, ward) ||
        RANKS[a.priority] - RANKS[b.priority] ||
        (a.state === "returned") - (b.state === "returned") ||
        timeOf(b.onset) - timeOf(a.onset),
    );
}

/** How pressing a bed is, as numbers to compare one after the other; a lower one comes first. */
export function urgency(bed, ward) {
  const [worst] = standing(bed, ward);
  if (!worst) return [2, 3, 0, 0];
  return [
    isSilent(worst, bed, ward) ? 1 : 0,
    RANKS[worst.priority],
    worst.state === "returned" ? 1 : 0,
    -timeOf(worst.onset),
  ];
}

export function compareUrgency(a, b) {
  const place = a.findIndex((part, at) => part !== b[at]);
  return place < 0 ? 0 : a[place] - b[place];
}

/** Where a patient lies and who it is, in one line. */
export function whereAndWho(bed) {
  const parts = [bed.bed, bed.name ?? bed.patient_id].filter((part) => part !== null);
  return parts.map(shown).join(" · ");
}

/** What an alarm says, and that it is over where it only waits for somebody to acknowledge it. */
export const alarmWords = (alarm) =>
  alarm.state === "returned" ? `${alarmText(alarm)} (${say("alarm.over")})` : alarmText(alarm);

export class Banner {
  constructor(ward) {
    this.ward = ward;
    this.link = byId("banner");
    this.mark = make("span", { class: "stars" });
    this.where = make("bdi", { class: "where" });
    this.text = make("bdi", { class: "text" });
    this.count = make("span", { class: "count" });
    this.link.append(this.mark, this.where, this.text, this.count);
    this.announced = null;
  }

  /** The worst alarm of the ward with its bed, or null. */
  worst() {
    let worst = null;
    for (const bed of this.ward.beds.values()) {
      if (bed.alarms.length === 0) continue;
      const rank = urgency(bed, this.ward);
      if (rank[0] < 2 && (worst === null || compareUrgency(rank, worst.rank) < 0)) worst = { bed, rank };
    }
    return worst && { bed: worst.bed, alarm: standing(worst.bed, this.ward)[0] };
  }

  /** Shows the worst alarm; gives the priority that should sound, or null. */
  show() {
    const worst = this.worst();
    const count = this.standingCount();
    put(this.count, worst ? sayCount("alarms", count) : say("alarms.none"));
    put(this.mark, worst ? stars(worst.alarm) : "");
    put(this.where, worst ? whereAndWho(worst.bed) : "");
    put(this.text, worst ? alarmWords(worst.alarm) : "");
    const silent = worst ? isSilent(worst.alarm, worst.bed, this.ward) : true;
    mark(this.link, "priority", worst?.alarm.priority ?? null);
    mark(this.link, "silent", worst && silent ? "yes" : null);
    mark(this.link, "over", worst?.alarm.state === "returned" ? "yes" : null);
    this.link.setAttribute("href", worst ? patientHash(worst.bed.patient_id) : "#/");
    const sign = this.ward.isLost ? "✕ " : worst && !silent ? `${stars(worst.alarm)} ` : "";
    put(document.querySelector("title"), `${sign}${say("ward")}`);
    this.announce(silent ? null : worst);
    return silent ? null : worst.alarm.priority;
  }

  standingCount() {
    let count = 0;
    for (const bed of this.ward.beds.values()) count += bed.alarms.filter((alarm) => alarm.state !== "ended").length;
    return count;
  }

  /** Says a new worst alarm to a screen reader, once: a high one interrupts what is being read, the others wait. */
  announce(worst) {
    const said = worst ? `${worst.alarm.id} ${worst.alarm.priority}` : null;
    if (said === this.announced) return;
    this.announced = said;
    const text = worst
      ? say("alarm.said", {
          priority: say(`priority.${worst.alarm.priority}`),
          where: whereAndWho(worst.bed),
          text: alarmWords(worst.alarm),
        })
      : "";
    const isHigh = worst?.alarm.priority === "high";
    put(byId("assertive"), isHigh ? text : "");
    put(byId("polite"), isHigh ? "" : text);
  }
}

/** Where the page of a patient is: behind the hash, which the browser never sends to a server. */
export const patientHash = (id) => `#/patient/${encodeURIComponent(id)}`;

/** Who acknowledged an alarm and when, or nothing. */
export const acknowledgement = (alarm, now) =>
  alarm.acknowledged_at === null
    ? ""
    : say("alarm.acknowledged.by", {
        by: shown(alarm.acknowledged_by ?? "?"),
        time: moment(timeOf(alarm.acknowledged_at), now),
      });
