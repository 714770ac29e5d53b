// The alarms of one patient that stand, each with its button, and who acknowledges them here.

import { acknowledge, askWho } from "./acts.js";
import { acknowledgement, alarmWords, standing, stars } from "./alarms.js";
import { timeOf } from "./beds.js";
import { attribute, make, mark, put } from "./dom.js";
import { mayAct } from "./session.js";
import { who } from "./settings.js";
import { moment, say, shown } from "./words.js";

export class AlarmList {
  /** `act` does something that the server may refuse, and tells what it says. */
  constructor(ward, act) {
    this.ward = ward;
    this.act = act;
    this.rows = new Map();
    this.shown = "";
    this.title = make("h2", { "data-word": "alarms", tabindex: "-1" });
    this.list = make("ul", { class: "alarm-list", role: "list" });
    this.quiet = make("p", { class: "faint", "data-word": "alarms.quiet" });
    this.you = make("span", { class: "faint" });
    const change = make("button", { type: "button", "data-word": "who.change" });
    change.addEventListener("click", () => this.act(askWho));
    this.youLine = make("p", { class: "you" }, this.you, " ", change);
    this.message = make("p", { class: "message", role: "status" });
    const parts = [this.title, this.list, this.quiet, this.youLine, this.message];
    this.node = make("section", { class: "part alarms" }, ...parts);
  }

  /** Shows the alarms of a bed; gives whether they are others than before. */
  show(bed) {
    const alarms = standing(bed, this.ward);
    this.quiet.hidden = alarms.length > 0;
    put(this.you, say("who.you", { who: shown(who()) }));
    this.youLine.hidden = who() === "" || !mayAct();
    this.drop(new Set(alarms.map((alarm) => alarm.id)));
    alarms.forEach((alarm, at) => this.showRow(alarm, at, this.ward.isPaused(bed)));
    const before = this.shown;
    this.shown = alarms.map((alarm) => `${alarm.id} ${alarm.state} ${alarm.acknowledged_at}`).join();
    return this.shown !== before;
  }

  drop(ids) {
    for (const [id, row] of this.rows) {
      if (ids.has(id)) continue;
      row.node.remove();
      this.rows.delete(id);
    }
  }

  showRow(alarm, at, isPaused) {
    if (!this.rows.has(alarm.id)) this.rows.set(alarm.id, new AlarmRow((latest) => this.acknowledge(latest)));
    const row = this.rows.get(alarm.id);
    row.show(alarm, this.ward.now(), isPaused);
    if (this.list.children[at] !== row.node) this.list.insertBefore(row.node, this.list.children[at] ?? null);
  }

  /** The key `a`: goes to the first alarm that waits; where one is chosen, acknowledges it. */
  key() {
    const chosen = [...this.rows.values()].find((row) => row.node.contains(document.activeElement));
    if (!chosen) this.focus();
    else if (!chosen.button.hidden) chosen.button.click();
  }

  focus() {
    (this.list.querySelector("button:not([hidden])") ?? this.title).focus();
  }

  acknowledge(alarm) {
    return this.act(async () => {
      const answer = await acknowledge(alarm);
      if (answer === null) return;
      this.ward.replaceAlarm(answer);
      this.tell(say("acknowledged.done", { text: alarmWords(answer) }));
      const bed = this.ward.beds.get(answer.patient_id);
      if (bed) this.show(bed);
      this.focus();
    });
  }

  tell(text) {
    put(this.message, text);
  }
}

/** One alarm that stands, with its button. */
class AlarmRow {
  constructor(acknowledgeIt) {
    this.stars = make("span", { class: "stars" });
    this.text = make("bdi", { class: "text" });
    this.facts = make("span", { class: "facts" });
    this.button = make("button", { type: "button", class: "main", "aria-keyshortcuts": "a" });
    this.button.addEventListener("click", () => acknowledgeIt(this.alarm));
    this.node = make("li", { class: "alarm-row" }, this.stars, this.text, this.facts, this.button);
  }

  show(alarm, now, isPaused) {
    this.alarm = alarm;
    put(this.stars, stars(alarm));
    put(this.text, alarmWords(alarm));
    const facts = [
      say("alarm.since", { time: moment(timeOf(alarm.started ?? alarm.onset), now) }),
      alarm.is_technical ? say("alarm.technical") : "",
      acknowledgement(alarm, now),
    ];
    put(this.facts, facts.filter(Boolean).join(", "));
    put(this.button, say("acknowledge"));
    attribute(this.button, "aria-label", `${say("acknowledge")}: ${alarmWords(alarm)}`);
    this.button.hidden = alarm.acknowledged_at !== null || !mayAct();
    mark(this.node, "priority", alarm.priority);
    mark(this.node, "silent", alarm.acknowledged_at !== null || isPaused ? "yes" : null);
    mark(this.node, "over", alarm.state === "returned" ? "yes" : null);
  }
}
