// The sound of alarms: bursts of pulses as IEC 60601-1-8 describes them, ten for high priority, three for medium and
// two for low. Silent until the user allows it on this screen.

import { byId, attribute, mark, put } from "./dom.js";
import { choose, setting } from "./settings.js";
import { say } from "./words.js";

/** When each pulse of a burst begins, how long it is, its pitch, and after how long the burst comes again; seconds. */
const BURSTS = {
  high: { starts: [0, 0.25, 0.5, 1, 1.25, 1.9, 2.15, 2.4, 2.9, 3.15], length: 0.15, hertz: 523, again: 8 },
  medium: { starts: [0, 0.4, 0.8], length: 0.2, hertz: 440, again: 12 },
  low: { starts: [0, 0.45], length: 0.2, hertz: 330, again: 30 },
};
const LOUDNESS = 0.3;
/** A pulse rises and falls so slowly, else it would click. */
const SLOPE_SECONDS = 0.02;
/** With four harmonics and more a tone can be located in the room. */
const HARMONICS = new Float32Array([0, 1, 0.7, 0.6, 0.5, 0.4]);
const LOOK_EVERY_MS = 250;

export class Sound {
  constructor() {
    this.button = byId("sound");
    this.button.addEventListener("click", () => this.toggle());
    this.priority = null;
    this.playing = null;
    this.next = 0;
    this.context = null;
    if (setting("sound") === "on") this.open();
    // A browser lets sound start only with a press or a key; any will do once the user has allowed it here.
    for (const name of ["pointerdown", "keydown"]) {
      document.addEventListener(name, () => this.context?.state === "suspended" && this.context.resume());
    }
    setInterval(() => this.look(), LOOK_EVERY_MS);
  }

  /** From now on this priority sounds; null is silence. */
  set(priority) {
    this.priority = priority;
  }

  toggle() {
    if (setting("sound") === "on" && this.context?.state !== "suspended") {
      choose("sound", "off");
      this.hush();
      this.context?.close();
      this.context = null;
    } else {
      choose("sound", "on");
      this.open();
      this.context?.resume();
      // To hear at once how loud it is.
      if (this.priority === null) this.burst("low");
    }
    this.show();
  }

  open() {
    if (this.context || !window.AudioContext) return;
    this.context = new AudioContext();
    this.context.addEventListener("statechange", () => this.show());
    this.wave = this.context.createPeriodicWave(HARMONICS, new Float32Array(HARMONICS.length));
  }

  show() {
    const state = this.context === null ? "off" : this.context.state === "running" ? "on" : "blocked";
    put(this.button, say(`sound.${state}`));
    attribute(this.button, "aria-pressed", String(state !== "off"));
    attribute(this.button, "title", state === "on" ? "" : say("sound.help"));
    mark(this.button, "state", state);
  }

  look() {
    if (this.priority !== this.playing) {
      // A worse alarm sounds at once, and silence comes at once.
      this.hush();
      this.playing = this.priority;
      this.next = 0;
    }
    if (this.playing === null || this.context?.state !== "running") return;
    if (this.context.currentTime < this.next) return;
    this.burst(this.playing);
    this.next = this.context.currentTime + BURSTS[this.playing].again;
  }

  burst(priority) {
    if (!this.context) return;
    const { starts, length, hertz } = BURSTS[priority];
    const volume = this.context.createGain();
    volume.connect(this.context.destination);
    const begin = this.context.currentTime + 0.02;
    for (const start of starts) this.pulse(volume, begin + start, length, hertz);
    this.volume = volume;
  }

  pulse(volume, begin, length, hertz) {
    const tone = this.context.createOscillator();
    const slope = this.context.createGain();
    tone.setPeriodicWave(this.wave);
    tone.frequency.value = hertz;
    slope.gain.setValueAtTime(0, begin);
    slope.gain.linearRampToValueAtTime(LOUDNESS, begin + SLOPE_SECONDS);
    slope.gain.setValueAtTime(LOUDNESS, begin + length - SLOPE_SECONDS);
    slope.gain.linearRampToValueAtTime(0, begin + length);
    tone.connect(slope).connect(volume);
    tone.start(begin);
    tone.stop(begin + length);
  }

  hush() {
    this.volume?.disconnect();
    this.volume = null;
  }
}
