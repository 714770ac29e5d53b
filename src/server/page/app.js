// Starts the page: it joins the stream, the ward and its two views, and takes keys and settings.

import { Banner, patientHash } from "./alarms.js";
import { STREAM } from "./api.js";
import { Ward, timeOf } from "./beds.js";
import { byId, make, mark, put } from "./dom.js";
import { askSession, currentSession, learnSession, logOut, mayAct } from "./session.js";
import { choose, setting, showLook } from "./settings.js";
import { Sound } from "./sound.js";
import { Stream } from "./stream.js";
import { WardScreen } from "./ward.js";
import { LANGUAGES, chooseLanguage, clockSecond, language, loadWords, moment, say, shown, translate } from "./words.js";

const TICK_MS = 1000;
const PATIENT_PAGE_AFTER_MS = 1500;
/** While contact is lost, the screen sounds as a medium alarm does: nobody sees alarms here. */
const LOST_SOUNDS_AS = "medium";

class App {
  constructor(ward) {
    this.changedIds = new Set();
    this.ward = ward;
    this.sound = new Sound();
    this.banner = new Banner(this.ward);
    this.main = byId("main");
    this.screen = new WardScreen(this.ward, this.main);
    this.page = null;
    addEventListener("hashchange", () => this.route());
    document.addEventListener("keydown", (event) => this.key(event));
    byId("skip").addEventListener("click", () => this.main.focus());
    this.setUpSettings();
    this.sound.show();
    this.route();
    setInterval(() => this.schedule(null), TICK_MS);
  }

  /** Several events may come before the screen is drawn anew: one drawing takes them all. */
  schedule(ids) {
    if (ids === null) this.isAllChanged = true;
    else for (const id of ids) this.changedIds.add(id);
    // A hidden page is not drawn, but must sound.
    if (document.hidden) this.showAlarms();
    this.drawing ??= requestAnimationFrame(() => this.draw());
  }

  draw() {
    this.drawing = null;
    const ids = this.isAllChanged ? null : [...this.changedIds];
    this.isAllChanged = false;
    this.changedIds.clear();
    document.body.classList.toggle("lost", this.ward.isLost);
    put(byId("clock"), this.ward.hasCome ? clockSecond(this.ward.now()) : "");
    this.showAlarms();
    this.showNotice();
    if (ids === null) this.showSession();
    if (!this.page) this.screen.show(ids);
    else if (ids === null || ids.includes(this.page.id)) this.page.show();
  }

  showAlarms() {
    const priority = this.banner.show();
    this.sound.set(this.ward.isLost ? LOST_SOUNDS_AS : priority);
  }

  /** What is wrong with the pipeline itself, above everything else. */
  showNotice() {
    const { ward } = this;
    const notice = byId("notice");
    let lines = [];
    if (ward.isLost) {
      lines = [ward.lostSince === null ? say("lost.never") : say("lost", { time: clockSecond(ward.lostSince) })];
    } else {
      lines = ward.troubles.map(({ of, text, since }) => {
        const time = moment(timeOf(since), ward.now());
        return say("trouble", { of: say(`trouble.${of}`), text: shown(text), time });
      });
      if (!ward.isCaughtUp) lines.unshift(say("catching_up"));
    }
    const text = lines.join(" · ");
    put(notice, text);
    notice.hidden = text === "";
    mark(notice, "of", ward.isLost ? "lost" : "trouble");
    if (ward.isLost !== this.wasLost) {
      if (ward.isLost) put(byId("assertive"), text);
      else if (this.wasLost) put(byId("polite"), say("found"));
      this.wasLost = ward.isLost;
    }
  }

  /** Who has logged in, where somebody has to; and nothing of what they may not do. */
  showSession() {
    const { name, role } = currentSession();
    byId("session").hidden = name === null;
    if (name !== null) put(byId("session-who"), say("session", { name: shown(name), role: say(`role.${role}`) }));
    for (const node of document.querySelectorAll(".for-acting")) node.hidden = !mayAct();
  }

  async endSession() {
    const problem = byId("session-problem");
    problem.hidden = true;
    byId("logout").disabled = true;
    try {
      await logOut();
    } catch {
      put(problem, say("logout.failed"));
      problem.hidden = false;
      byId("logout").disabled = false;
    }
  }

  /** The hash says what is shown: it stays in the browser, so no server's log ever holds a patient there. */
  async route() {
    const id = patientOf(location.hash);
    if (this.page && this.page.id === id) return;
    const patientPage = id === null ? null : await loadPatientPage();
    // The user may have gone on meanwhile.
    if (id !== patientOf(location.hash)) return;
    const before = this.page?.id ?? null;
    this.page?.close();
    this.page = id === null ? null : new patientPage(this.ward, id);
    document.body.dataset.view = id === null ? "ward" : "patient";
    this.main.replaceChildren((this.page ?? this.screen).node);
    translate(this.main);
    if (this.page) {
      this.page.open();
      scrollTo(0, 0);
      this.page.node.querySelector("h1").focus({ preventScroll: true });
    } else {
      this.screen.show(null);
      this.screen.fit();
      if (before !== null) this.screen.focusOn(before);
    }
  }

  key(event) {
    if (event.ctrlKey || event.altKey || event.metaKey || document.querySelector("dialog[open]")) return;
    const isTyping = event.target.matches?.("input, select, textarea");
    if (event.key === "Escape") {
      if (isTyping) event.target.blur();
      else if (this.page) location.hash = "#/";
      return;
    }
    if (isTyping || setting("keys") !== "on") return;
    if (event.key === "?") byId("keys-dialog").showModal();
    else if (event.key === "/" && !this.page) byId("of-text").focus();
    else if (event.key === "a" && this.page && mayAct()) this.page.list.key();
    else return;
    event.preventDefault();
  }

  setUpSettings() {
    const languages = byId("set-language");
    const options = Object.entries(LANGUAGES);
    languages.append(...options.map(([code, name]) => make("option", { value: code, lang: code }, name)));
    languages.value = language();
    byId("set-sort").value = setting("sort") || "bed";
    byId("set-look").value = setting("look");
    byId("set-keys").checked = setting("keys") === "on";
    byId("settings").addEventListener("click", () => byId("settings-dialog").showModal());
    byId("logout").addEventListener("click", () => this.endSession());
    byId("help").addEventListener("click", () => byId("keys-dialog").showModal());
    byId("set-sort").addEventListener("change", (event) => {
      choose("sort", event.target.value);
      this.schedule(null);
    });
    byId("set-look").addEventListener("change", (event) => {
      choose("look", event.target.value);
      showLook();
      this.page?.trends.draw();
    });
    // Charts are pictures: they do not change their colours by themselves.
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.page?.trends.draw());
    byId("set-keys").addEventListener("change", (event) => choose("keys", event.target.checked ? "on" : "off"));
    languages.addEventListener("change", async (event) => {
      await chooseLanguage(event.target.value);
      this.sound.show();
      // Charts and tables are made anew, in the new words.
      if (this.page) {
        this.page.close();
        this.page = null;
        this.route();
      }
      this.schedule(null);
    });
  }
}

/** The ward is painted sooner without the half of the code that only a patient's page needs. */
const loadPatientPage = async () => (await import("./patient.js")).PatientPage;

/** The patient whose page a hash names, or null: `#/patient/P001`. */
function patientOf(hash) {
  const start = patientHash("");
  if (!hash.startsWith(start) || hash === start) return null;
  try {
    return decodeURIComponent(hash.slice(start.length));
  } catch {
    return null;
  }
}

function listen(ward) {
  return new Stream(STREAM, {
    ward: (message) => ward.replace(message),
    beds: (message) => ward.update(message),
    gone: (message) => ward.remove(message),
    state: (message) => ward.setState(message),
    tick: (message) => ward.hear(message.at),
    lost: () => {
      ward.lose();
      askSession();
    },
    found: () => ward.find(),
    failed: () => askSession(),
  });
}

// A page that the browser has kept is old, and whoever goes back to it may be logged in no longer.
addEventListener("pageshow", (event) => event.persisted && location.reload());
showLook();
// The stream, the words and who this is come at the same time; what the stream says before the words are there is shown
// with them.
const ward = new Ward(() => {});
listen(ward);
const session = learnSession();
await loadWords();
const app = new App(ward);
ward.changed = (ids) => app.schedule(ids);
app.schedule(null);
session.then(() => app.schedule(null));
// Before the first press on a bed, so that the page opens at once.
setTimeout(loadPatientPage, PATIENT_PAGE_AFTER_MS);
