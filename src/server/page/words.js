// All words that people see, in the language of the user. One file in lang/ is one language; it is listed here.

import { choose, setting } from "./settings.js";
import { attribute, put } from "./dom.js";

export const LANGUAGES = { en: "English", de: "Deutsch" };

let words = {};
let spoken = "en";
let formats = {};

/** Loads the language that was chosen, or else the first of the browser's languages that there is. */
export async function loadWords() {
  const wanted = [setting("language"), ...navigator.languages.map((tag) => tag.split("-")[0]), "en"];
  await speak(wanted.find((language) => Object.hasOwn(LANGUAGES, language)));
}

export async function chooseLanguage(language) {
  choose("language", language);
  await speak(language);
}

export const language = () => spoken;

async function speak(language) {
  const answer = await fetch(`/assets/lang/${language}.json`);
  words = await answer.json();
  spoken = language;
  document.documentElement.lang = language;
  const time = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
  const day = { day: "numeric", month: "short" };
  const format = (options) => new Intl.DateTimeFormat(language, options);
  formats = {
    second: format({ ...time, second: "2-digit" }),
    minute: format(time),
    dayAndMinute: format({ ...day, ...time }),
    day: format({ year: "numeric", month: "long", day: "numeric" }),
    numbers: [0, 1].map((digits) => new Intl.NumberFormat(language, decimals(digits))),
    plural: new Intl.PluralRules(language),
  };
  translate(document);
}

const decimals = (digits) => ({ minimumFractionDigits: digits, maximumFractionDigits: digits, useGrouping: false });

/** The words of a key, with `{name}` filled in. */
export function say(key, parts = {}) {
  const text = words[key] ?? key;
  return text.replace(/\{(\w+)\}/g, (whole, name) => (Object.hasOwn(parts, name) ? parts[name] : whole));
}

/** The words of a key for a count of things. */
export const sayCount = (key, count) => say(`${key}.${formats.plural.select(count)}`, { count });

export const isKnown = (key) => Object.hasOwn(words, key);

/** Puts words into all that asks for them: as text, as a label, or as a hint in an empty field. */
export function translate(root) {
  for (const node of root.querySelectorAll("[data-word]")) put(node, say(node.dataset.word));
  for (const node of root.querySelectorAll("[data-word-label]")) {
    attribute(node, "aria-label", say(node.dataset.wordLabel));
    attribute(node, "title", say(node.dataset.wordLabel));
  }
  for (const node of root.querySelectorAll("[data-word-hint]")) attribute(node, "placeholder", say(node.dataset.wordHint));
}

/** A time of the server for people, in the time zone of this screen. Milliseconds since 1970, as everywhere here. */
export const clockSecond = (ms) => formats.second.format(ms);
export const clockMinute = (ms) => formats.minute.format(ms);
export const day = (text) => formats.day.format(Date.parse(text));

/** The same, with the day where it is not the day of `now`. */
export const moment = (ms, now) =>
  new Date(ms).toDateString() === new Date(now).toDateString() ? clockMinute(ms) : formats.dayAndMinute.format(ms);

/** A value with so many decimals; a value that has more of them is rounded for people, never for a rule. */
export const number = (value, digits = 0) => formats.numbers[digits].format(value);

/** How long ago, in one unit: `45 s`, `2 min`, `3 h`, `2 d`. */
export function age(ms) {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 60) return say("age.seconds", { count: seconds });
  if (seconds < 3600) return say("age.minutes", { count: Math.floor(seconds / 60) });
  if (seconds < 48 * 3600) return say("age.hours", { count: Math.floor(seconds / 3600) });
  return say("age.days", { count: Math.floor(seconds / 86400) });
}

export const ago = (ms) => say("ago", { age: age(ms) });

/**
 * The text of an alarm. The server speaks English, `High heart rate: 131`: its own titles are translated, and titles
 * that a hospital has given are left as they are.
 */
export function alarmText(alarm) {
  const text = shown(alarm.text);
  if (isKnown(`title.${text}`)) return say(`title.${text}`);
  const cut = text.lastIndexOf(": ");
  const title = cut < 0 ? text : text.slice(0, cut);
  const value = cut < 0 ? "" : text.slice(cut + 2);
  const key = `title.${title}`;
  if (!isKnown(key)) return text;
  return value === "" ? say(key) : `${say(key)}: ${isNaN(value) ? value : plain(Number(value))}`;
}

const plain = (value) => new Intl.NumberFormat(spoken, { maximumFractionDigits: 3, useGrouping: false }).format(value);

// Characters that turn, join or hide what stands beside them; the command line shows the same ones as their codes.
const DECEPTIVE = new RegExp(
  "[\\p{Cc}\\u00ad\\u034f\\u061c\\u115f\\u1160\\u17b4\\u17b5\\u180b-\\u180f\\u200b-\\u200f\\u2028\\u2029\\u202a-\\u202e" +
    "\\u2060-\\u206f\\u2800\\u3164\\ufe00-\\ufe0f\\ufeff\\uffa0\\ufff0-\\ufffb" +
    "\\u{1bca0}-\\u{1bca3}\\u{1d173}-\\u{1d17a}\\u{e0000}-\\u{e0fff}]",
  "gu",
);

/** A text of others, in which no character can turn or hide what is beside it. */
export const shown = (text) => text.replace(DECEPTIVE, (c) => `\\u{${c.codePointAt(0).toString(16)}}`);
