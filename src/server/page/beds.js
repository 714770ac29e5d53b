// What the page knows of the ward: the beds as the server told them last, and the server's clock.

/** Times go up to a microsecond; the page counts in whole milliseconds since 1970. */
export const timeOf = (text) => (text === null || text === undefined ? null : Date.parse(text));

export class Ward {
  /** `changed` is called with the ids of the patients that changed, or with null where all may have. */
  constructor(changed) {
    this.changed = changed;
    this.beds = new Map();
    this.troubles = [];
    this.isCaughtUp = true;
    this.staleAfterMs = 60000;
    this.lostSince = null;
    this.isLost = false;
    this.hasCome = false;
    this.at = Date.now();
    this.heard = performance.now();
  }

  /**
   * Now by the server's clock: this screen's own clock may be wrong, so it only measures the time since the last event.
   */
  now() {
    return this.at + (performance.now() - this.heard);
  }

  hear(at) {
    this.at = timeOf(at);
    this.heard = performance.now();
  }

  replace(message) {
    this.hear(message.at);
    this.hasCome = true;
    this.staleAfterMs = message.stale_after_seconds * 1000;
    this.isCaughtUp = message.caught_up;
    this.troubles = message.troubles;
    this.beds = new Map(message.beds.map((bed) => [bed.patient_id, bed]));
    this.changed(null);
  }

  update(message) {
    this.hear(message.at);
    for (const bed of message.beds) this.beds.set(bed.patient_id, bed);
    this.changed(message.beds.map((bed) => bed.patient_id));
  }

  remove(message) {
    this.beds.delete(message.patient_id);
    this.changed(null);
  }

  setState(message) {
    this.hear(message.at);
    this.isCaughtUp = message.caught_up;
    this.troubles = message.troubles;
    this.changed([]);
  }

  lose() {
    this.isLost = true;
    this.lostSince = this.hasCome ? this.at : null;
    this.changed(null);
  }

  find() {
    this.isLost = false;
    this.changed(null);
  }

  /** Replaces one alarm, as an acknowledgement answers it before the stream tells everybody. */
  replaceAlarm(alarm) {
    const bed = this.beds.get(alarm.patient_id);
    if (!bed) return;
    const alarms = bed.alarms.map((before) => (before.id === alarm.id ? alarm : before));
    this.beds.set(alarm.patient_id, { ...bed, alarms });
    this.changed([alarm.patient_id]);
  }

  /** How old the newest reading is, in ms; null where none ever came. */
  quietFor(bed) {
    return bed.time === null ? null : this.now() - timeOf(bed.time);
  }

  /** `absent` where nothing ever came, `stale` where the newest reading is too old, else `fresh`. */
  stateOf(bed) {
    const quiet = this.quietFor(bed);
    if (quiet === null) return "absent";
    return quiet > this.staleAfterMs ? "stale" : "fresh";
  }

  isPaused(bed) {
    return bed.paused_until !== null && timeOf(bed.paused_until) > this.now();
  }
}
