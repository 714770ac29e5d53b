// Drives the ward screen in two browsers, as two nurses would use it, against a running server.
//
//   node ward.mjs URL [CHROMIUM]
//
// Where the server asks who comes, it is at the login until a step `login`. The certificate is not looked at.
//
// It says `ready`, then reads one step a line from standard input and answers each with one line: `ok STEP …` or
// `failed STEP …: why`. A line is a JSON array of texts, ["shows", "P001", "heart_rate", "95"], or words with spaces
// between them. It ends with its input, with 1 where a step failed. Who drives it sends the readings and stops the
// server. The steps are the functions of `steps` below.

import assert from "node:assert/strict";
import { createInterface } from "node:readline";
import axe from "axe-core";
import { chromium } from "playwright-core";

const [url, executablePath = "/usr/bin/chromium"] = process.argv.slice(2);
if (!url) {
  console.error("usage: node ward.mjs URL [CHROMIUM]");
  process.exit(2);
}

/** How long a step waits for the page at most. */
const WAIT_MS = 15000;
/** The screen promises 5 s; other tests take the processors meanwhile. */
const LOST_MS = 8000;
const WIRE_BYTES = 150 * 1024;
/** So long after its first chart a page has loaded all: it has a stream open, so it is never idle. */
const QUIET_MS = 500;
const PAINTS = 5;
const SCREENS = [
  { width: 1920, height: 1080 },
  { width: 1366, height: 768 },
];
const PHONE = { width: 360, height: 740 };

const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
const wrongs = [];
const first = await open();
const second = await open();

const steps = {
  /** The sector of a patient shows this number for a sign; a pressure is `120/80`. Answers when, in ms since 1970. */
  async shows(id, sign, value) {
    return `at ${await until(first, isShown, [id, sign, value], `${sign} is not ${value}`)}`;
  },

  /** The sector has this state: fresh, stale or absent. */
  async state(id, wanted) {
    await until(first, ([id, wanted]) => sector(id)?.dataset.state === wanted, [id, wanted], `is not ${wanted}`);
  },

  /** The sector and the banner show an alarm that holds this text, with its stars. */
  async alarm(id, stars, text) {
    const isThere = ([id, stars, text]) => {
      const shown = (node) => node?.querySelector(".stars").textContent === stars && node.textContent.includes(text);
      return shown(sector(id)?.querySelector(".alarm")) && shown(document.getElementById("banner"));
    };
    await until(first, isThere, [id, stars, text], "is not shown");
  },

  /** One nurse acknowledges the most pressing alarm of a patient; the other one sees by whom. */
  async acknowledge(id, who) {
    await visit(second, id);
    const known = await second.evaluate(() => sessionStorage.getItem("ward.who"));
    await second.locator(".alarm-row button:not([hidden])").first().click();
    if (known === null) await answer(second, { by: who });
    const isTold = (who) => document.querySelector(".alarm-list").textContent.includes(`by ${who} at`);
    await until(second, isTold, known ?? who, "is not told");
    await visit(first, id);
    await until(first, isTold, known ?? who, "the other browser does not show it");
    await home(first);
  },

  /** One nurse pauses the alarms of a patient; the other one sees until when. */
  async pause(id, minutes, who, reason) {
    await visit(second, id);
    await second.locator("[data-word=pause]:is(button)").click();
    await answer(second, { minutes, by: who, reason });
    await until(first, (id) => sector(id)?.dataset.paused === "yes", id, "the other browser shows no pause");
    const isTold = (reason) => document.querySelector(".state").textContent.includes(reason);
    await until(second, isTold, reason, "no reason is told");
  },

  async resume(id, who) {
    await visit(second, id);
    await second.locator("[data-word=resume]:is(button)").click();
    await answer(second, { by: who });
    await until(first, (id) => sector(id)?.dataset.paused === undefined, id, "the pause goes on");
  },

  /** A pause that is too long is refused, and the page says why. */
  async refuses(id, minutes) {
    await visit(second, id);
    await second.locator("[data-word=pause]:is(button)").click();
    // Past the page's own check, to the server's.
    await second.locator("#act-minutes").evaluate((field) => field.removeAttribute("max"));
    await answer(second, { minutes, by: "Nobody" });
    await second.locator("#act-problem:not([hidden])").waitFor({ timeout: WAIT_MS });
    const told = await second.locator("#act-problem").textContent();
    await second.keyboard.press("Escape");
    return told;
  },

  /** The page of a patient shows its name, numbers, five trends, limits and a file to export. */
  async patient(id, name) {
    await visit(second, id);
    assert.equal(await second.locator("h1").textContent(), name);
    await until(second, () => document.querySelectorAll(".trend canvas").length === 5, null, "trends are missing");
    const href = await second.locator("a[download]").getAttribute("href");
    const file = await second.request.get(new URL(href, url).href);
    assert.match(file.headers()["content-disposition"] ?? "", /attachment/);
  },

  /** Send it right after the server has stopped: within 5 s all is grey, and a banner says so. */
  async lost() {
    const begin = Date.now();
    const isGrey = () => document.body.classList.contains("lost") && !document.getElementById("notice").hidden;
    await until(first, isGrey, null, "the numbers look current", LOST_MS);
    const colours = await first.evaluate(() => {
      const numbers = [...document.querySelectorAll(".sector .value")];
      return new Set(numbers.map((node) => getComputedStyle(node).color)).size;
    });
    assert.equal(colours, 1, "a number has a colour still");
    return `after ${Date.now() - begin} ms`;
  },

  /** Contact comes back by itself. */
  async found() {
    await until(first, () => !document.body.classList.contains("lost"), null, "contact is not back", 2 * WAIT_MS);
  },

  /** No script of a name or id runs; the name is shown as text, with what turns text as its code. */
  async hostile(id, name) {
    const isShownSo = ([id, name]) => sector(id)?.querySelector(".name").textContent === name;
    await until(first, isShownSo, [id, name], "is not shown as it is");
    await visit(second, id);
    assert.equal(await second.locator("h1").textContent(), name);
    for (const page of [first, second]) {
      assert.equal(await page.locator("main :is(script, img, iframe, object)").count(), 0);
    }
    await steps.clean();
  },

  /** No error of the page's scripts and nothing that the content policy had to stop, in all so far. */
  async clean() {
    assert.deepEqual(wrongs, []);
  },

  /** The rules of accessibility find nothing serious on the ward and on a patient's page, in light and dark. */
  async axe(id) {
    await visit(second, id);
    await until(second, () => document.querySelectorAll(".trend canvas").length === 5, null, "trends are missing");
    const found = [];
    for (const colorScheme of ["light", "dark"]) {
      for (const page of [first, second]) {
        await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
        found.push(...(await graveFaults(page)).map((fault) => `${fault} (${colorScheme})`));
      }
    }
    for (const page of [first, second]) await page.emulateMedia({ colorScheme: null, reducedMotion: null });
    assert.deepEqual(found, []);
  },

  /** So many beds fit on one screen without scrolling, and nothing is wider than a phone. */
  async fits(count) {
    for (const screen of SCREENS) {
      await first.setViewportSize(screen);
      const fits = (count) => {
        const main = document.querySelector("main");
        return document.querySelectorAll(".sector").length === count && main.scrollHeight <= main.clientHeight;
      };
      await until(first, fits, Number(count), `${count} beds do not fit into ${screen.width} × ${screen.height}`);
    }
    for (const page of [first, second]) {
      await page.setViewportSize(PHONE);
      const isNarrow = () => document.documentElement.scrollWidth <= innerWidth;
      await until(page, isNarrow, null, "the page is wider than a phone");
      await page.setViewportSize(SCREENS[1]);
    }
  },

  /** The keyboard goes from bed to bed, to a patient and back. */
  async keys() {
    await home(first);
    const links = await first.locator(".sector").evaluateAll((all) => all.map((link) => link.dataset.patient));
    await first.locator(".sector[tabindex='0']").focus();
    await first.keyboard.press("Home");
    if (links.length > 1) await first.keyboard.press("ArrowRight");
    const wanted = links[Math.min(1, links.length - 1)];
    assert.equal(await first.evaluate(() => document.activeElement.dataset.patient), wanted);
    await first.keyboard.press("Enter");
    await first.locator("body[data-view=patient]").waitFor({ timeout: WAIT_MS });
    assert.equal(new URL(first.url()).pathname, "/", "a patient is in the path");
    await first.keyboard.press("Escape");
    await first.locator("body[data-view=ward]").waitFor({ timeout: WAIT_MS });
    assert.equal(await first.evaluate(() => document.activeElement.dataset.patient), wanted);
    await first.keyboard.press("?");
    await first.locator("#keys-dialog[open]").waitFor({ timeout: WAIT_MS });
    await first.keyboard.press("Escape");
  },

  /** The page speaks another language, without loading anew. */
  async language(code, word) {
    const select = (to) => second.locator("#set-language").evaluate((field, to) => {
      field.value = to;
      field.dispatchEvent(new Event("change"));
    }, to);
    await select(code);
    await until(second, (word) => document.body.textContent.includes(word), word, `does not say ${word}`);
    assert.equal(await second.locator("html").getAttribute("lang"), code);
    await select("en");
  },

  /** The browser keeps nothing of a patient: no cache, no worker, no storage. */
  async forgets(...texts) {
    for (const page of [first, second]) {
      const kept = await page.evaluate(async () => ({
        caches: window.caches ? await caches.keys() : [],
        workers: navigator.serviceWorker ? (await navigator.serviceWorker.getRegistrations()).length : 0,
        bases: (await indexedDB.databases()).length,
        storage: JSON.stringify([{ ...localStorage }, { ...sessionStorage }]),
      }));
      assert.deepEqual([kept.caches.length, kept.workers, kept.bases], [0, 0, 0]);
      for (const text of texts) assert.ok(!kept.storage.includes(JSON.stringify(text).slice(1, -1)), `${text} is stored`);
    }
    for (const path of ["/api/v1/latest"]) {
      const answer = await first.request.get(new URL(path, url).href);
      assert.match(answer.headers()["cache-control"] ?? "", /no-store/, `${path} may be cached`);
    }
  },

  /**
   * A new browser paints the ward within so many ms, and all files of both pages are few bytes on the wire. The best of
   * some tries counts: the other browsers and the server share the processor with it.
   */
  async paint(within) {
    for (const page of [first, second]) await page.emulateMedia({ reducedMotion: "reduce" });
    const tries = [];
    for (let left = PAINTS; left > 0; left -= 1) tries.push(await paintOnce());
    for (const page of [first, second]) await page.emulateMedia({ reducedMotion: null });
    const best = tries.reduce((a, b) => (b.ward < a.ward ? b : a));
    const told = `the page after ${best.page} ms, the ward after ${best.ward} ms, ${best.bytes} bytes`;
    assert.ok(best.ward <= Number(within) && best.bytes <= WIRE_BYTES, told);
    return told;
  },

  /** One browser shows a token, and is on the ward then. */
  async login(which, token) {
    const page = browserOf(which);
    await enter(page, token);
    await page.waitForURL((to) => to.pathname === "/", { timeout: WAIT_MS });
    await until(page, isOnWard, null, "no ward comes after the login");
    await home(page);
  },

  /** A wrong token is told on the page, and one stays there. */
  async refused(token, which = "first") {
    const page = browserOf(which);
    await enter(page, token);
    await page.waitForURL("**/login?refused*", { timeout: WAIT_MS });
    await page.locator("#refused:not([hidden])").waitFor({ timeout: WAIT_MS });
    assert.ok(!page.url().includes(token), "the token is in the address");
    return page.locator("#refused").innerText();
  },

  /** Whoever only looks on has nothing to press at a patient's alarms, and no key for it. */
  async viewer(id) {
    await visit(second, id);
    // What may be done is known by then, and so is the patient.
    await second.locator(".data dd").first().waitFor({ timeout: WAIT_MS });
    await until(second, () => !document.getElementById("session").hidden, null, "nobody is logged in");
    const words = await second.locator("main button:visible").evaluateAll((all) => all.map((node) => node.textContent));
    assert.deepEqual(words, ["Print", "1 h", "6 h", "24 h"]);
    await second.locator("h1").focus();
    await second.keyboard.press("a");
    assert.equal(await second.evaluate(() => document.activeElement.tagName), "H1", "the key goes to the alarms");
    assert.equal(await second.locator("dialog[open]").count(), 0);
  },

  /** Whoever has logged in by a name acts by it until they say otherwise, and can log out. */
  async prefilled(id, name) {
    await visit(second, id);
    await second.locator("[data-word=pause]:is(button)").click();
    assert.equal(await second.locator("#act-by").inputValue(), name);
    await second.keyboard.press("Escape");
    assert.equal(await second.locator(".you span").innerText(), `You are ${name}.`);
    await second.locator("#settings").click();
    const told = await second.locator("#session-who").innerText();
    assert.ok(told.startsWith(`Logged in as ${name} (`), told);
    assert.ok(await second.locator("#logout").isVisible());
    await second.keyboard.press("Escape");
  },

  /** Where nobody has to log in, nobody can log out, and everybody may act. */
  async unasked(id) {
    await visit(second, id);
    await second.locator("[data-word=pause]:is(button)").waitFor({ timeout: WAIT_MS });
    assert.equal(await second.locator("#session:not([hidden])").count(), 0);
  },

  /** Send it after a token was taken back: the browser is at the login soon, and shows nothing of the ward. */
  async loggedout(which) {
    const page = browserOf(which);
    const begin = Date.now();
    await isAtLogin(page, LOST_MS);
    return `after ${Date.now() - begin} ms`;
  },

  /** One logs out; whoever goes back in that browser sees nothing, and finds no name. */
  async logout(which) {
    const page = browserOf(which);
    await page.locator("#settings").click();
    await page.locator("#logout").click();
    await isAtLogin(page, WAIT_MS);
    assert.equal(await page.evaluate(() => sessionStorage.getItem("ward.who")), null);
    await page.evaluate(() => {
      window.isLeft = true;
      history.back();
    });
    const isBack = () => !window.isLeft && location.pathname === "/login";
    await until(page, isBack, null, "going back leads to the ward");
  },

  /** The rules of accessibility find nothing serious on the login; it fits a phone, and letters of twice the size. */
  async axelogin() {
    const page = await open(async () => {}, "/login?refused");
    await page.locator("#refused:not([hidden])").waitFor({ timeout: WAIT_MS });
    const found = [];
    for (const colorScheme of ["light", "dark"]) {
      await page.emulateMedia({ colorScheme });
      found.push(...(await graveFaults(page)).map((fault) => `${fault} (${colorScheme})`));
    }
    assert.deepEqual(found, []);
    for (const screen of [PHONE, { width: PHONE.width / 2, height: PHONE.height / 2 }]) {
      await page.setViewportSize(screen);
      const isNarrow = () => document.documentElement.scrollWidth <= innerWidth;
      await until(page, isNarrow, null, `the login is wider than ${screen.width}`);
    }
    await page.context().close();
  },

  /** For people: what the first (or second) browser looks like now. */
  async picture(path, which = "first") {
    await browserOf(which).screenshot({ path });
  },
};

/** A new browser on the ward, or at the login before it, with what the functions that run in the page share. */
async function open(prepare = async () => {}, path = "/") {
  const ignoreHTTPSErrors = new URL(url).protocol === "https:";
  const context = await browser.newContext({ viewport: SCREENS[1], locale: "en-GB", ignoreHTTPSErrors });
  const page = await context.newPage();
  page.on("pageerror", (error) => wrongs.push(String(error)));
  page.on("dialog", (dialog) => wrongs.push(`a dialog: ${dialog.message()}`));
  page.on("console", (message) => {
    if (message.text().includes("Content Security Policy")) wrongs.push(message.text());
  });
  await page.addInitScript(() => {
    window.sector = (id) => [...document.querySelectorAll(".sector")].find((link) => link.dataset.patient === id);
    const look = () => {
      if (document.querySelector(".sector .value")) window.wardShown = performance.now();
      else requestAnimationFrame(look);
    };
    requestAnimationFrame(look);
  });
  await prepare(page);
  await page.goto(new URL(path, url).href, { waitUntil: "commit" });
  if (new URL(page.url()).pathname === "/login") await isAtLogin(page, WAIT_MS);
  return page;
}

/** When a new browser has painted the page and its numbers, ms, and how many bytes all files took over the wire. */
async function paintOnce() {
  let bytes = 0;
  const page = await open(async (page) => {
    // Where one has to log in, the first browser has.
    await page.context().addCookies(await first.context().cookies());
    const session = await page.context().newCDPSession(page);
    const files = new Set();
    await session.send("Network.enable");
    session.on("Network.requestWillBeSent", ({ requestId, request }) => {
      if (!new URL(request.url).pathname.startsWith("/api/")) files.add(requestId);
    });
    session.on("Network.loadingFinished", ({ requestId, encodedDataLength }) => {
      if (files.has(requestId)) bytes += encodedDataLength;
    });
  });
  await until(page, () => window.wardShown, null, "no bed is shown");
  const painted = await page.evaluate(() => ({
    page: Math.round(performance.getEntriesByName("first-contentful-paint")[0].startTime),
    ward: Math.round(window.wardShown),
  }));
  await visit(page, await page.locator(".sector").first().getAttribute("data-patient"));
  await page.locator(".trend canvas").first().waitFor({ timeout: WAIT_MS });
  await page.waitForTimeout(QUIET_MS);
  await page.context().close();
  return { ...painted, bytes };
}

const browserOf = (which) => {
  assert.ok(which === "first" || which === "second", `there is no browser ${which}`);
  return which === "second" ? second : first;
};

/** Waits until a page asks for a token, and can take one. */
async function isAtLogin(page, timeout) {
  try {
    await page.waitForURL((to) => to.pathname === "/login", { timeout });
    await page.locator("#token").waitFor({ timeout });
  } catch (error) {
    throw error.name === "TimeoutError" ? new assert.AssertionError({ message: `it is at ${page.url()}` }) : error;
  }
}

/** Shows a token, in the form that asks for it. */
async function enter(page, token) {
  await isAtLogin(page, WAIT_MS);
  await page.getByLabel("Token", { exact: true }).fill(token);
  await page.locator("#login button").click();
}

/** The ward has come, whether somebody is in it or not. */
const isOnWard = () => document.getElementById("clock")?.textContent && !document.body.classList.contains("lost");

/** What is serious by the rules of accessibility in a page as it is. */
async function graveFaults(page) {
  await page.evaluate(axe.source);
  const { violations } = await page.evaluate(() => window.axe.run());
  const grave = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
  return grave.map((rule) => `${rule.id} at ${rule.nodes[0].target}`);
}

async function home(page) {
  await page.evaluate(() => (location.hash = "#/"));
  await page.locator("body[data-view=ward]").waitFor({ timeout: WAIT_MS });
}

async function visit(page, id) {
  await page.evaluate((id) => (location.hash = `#/patient/${encodeURIComponent(id)}`), id);
  const isOpen = (id) => document.querySelector(".place")?.textContent.endsWith(id);
  await until(page, isOpen, visible(id), "the patient's page does not open");
}

/** An id as the page shows it: what turns or hides text as its code. */
const visible = (id) => id.replace(/[\p{Cc}\p{Cf}]/gu, (c) => `\\u{${c.codePointAt(0).toString(16)}}`);

async function answer(page, { minutes, by, reason }) {
  if (minutes !== undefined) await page.locator("#act-minutes").fill(String(minutes));
  await page.locator("#act-by").fill(by);
  if (reason !== undefined) await page.locator("#act-reason").fill(reason);
  await page.locator("#act-go").click();
}

/** Waits until a function in the page gives something true; gives when that was. */
async function until(page, isSo, given, why, timeout = WAIT_MS) {
  try {
    await page.waitForFunction(isSo, given, { timeout, polling: "raf" });
  } catch (error) {
    throw error.name === "TimeoutError" ? new assert.AssertionError({ message: why }) : error;
  }
  return Date.now();
}

function isShown([id, sign, value]) {
  const node = sector(id)?.querySelector(`[data-sign="${CSS.escape(sign)}"] .value`);
  return node?.textContent === value;
}

async function run(line) {
  const [name, ...given] = line.startsWith("[") ? JSON.parse(line) : line.split(/\s+/);
  const label = [name, ...given].join(" ");
  try {
    assert.ok(Object.hasOwn(steps, name), `there is no step ${name}`);
    const told = await steps[name](...given);
    return `ok ${label}${told ? `: ${told}` : ""}`;
  } catch (error) {
    process.exitCode = 1;
    return `failed ${label}: ${error.message}`;
  }
}

console.log("ready");
for await (const line of createInterface({ input: process.stdin })) {
  if (line.trim() !== "") console.log((await run(line.trim())).replaceAll("\n", " "));
}
await browser.close();
