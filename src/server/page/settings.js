// What the user has chosen on this screen. It is remembered where the browser lets it, and holds nothing of a patient.

const DEFAULTS = { look: "auto", language: "", sort: "", sound: "off", keys: "on" };
const PREFIX = "ward.";
const chosen = {};

export function setting(name) {
  if (chosen[name] === undefined) chosen[name] = read("localStorage", name) ?? DEFAULTS[name];
  return chosen[name];
}

export function choose(name, value) {
  chosen[name] = value;
  write("localStorage", name, value);
}

/** Who acknowledges and pauses here. It ends with the session: the next shift says anew who they are. */
export function who() {
  return chosen.who ?? read("sessionStorage", "who") ?? "";
}

export function rememberWho(name) {
  chosen.who = name;
  write("sessionStorage", "who", name);
}

/** Whoever has logged in is who acts, until they say otherwise; what somebody else has said before them counts no more. */
export function beginSession(name) {
  if (read("sessionStorage", "session") === name) return;
  write("sessionStorage", "session", name);
  rememberWho(name);
}

/** Whoever logs in next on this screen is not taken for the one before. */
export function forgetWho() {
  delete chosen.who;
  remove("sessionStorage", "who");
  remove("sessionStorage", "session");
}

export function showLook() {
  document.documentElement.dataset.look = setting("look");
}

// A browser may refuse its storage, by throwing: then a choice lasts as long as the page.
function read(storage, name) {
  try {
    return window[storage].getItem(PREFIX + name) ?? undefined;
  } catch {
    return undefined;
  }
}

function write(storage, name, value) {
  try {
    window[storage].setItem(PREFIX + name, value);
  } catch {
    // The choice holds for this page.
  }
}

function remove(storage, name) {
  try {
    window[storage].removeItem(PREFIX + name);
  } catch {
    // Then nothing was kept.
  }
}
