// Asks the server. What it refuses comes as an error that says what failed and what to do.

const BASE = "/api/v1";
/** Where whoever is not known here, or no longer, says who they are. */
const LOGIN = "/login";
/** A question that is asked again and again must not wait for an answer that never comes. */
const SESSION_LIMIT_MS = 5000;

export const STREAM = `${BASE}/stream`;

/** The server's word for what went wrong: `detail`, and `hint` where it gives one. */
export class Refused extends Error {
  constructor(status, detail, hint) {
    super(detail);
    this.status = status;
    this.hint = hint;
  }
}

export const session = () => send(`${BASE}/session`, { signal: AbortSignal.timeout(SESSION_LIMIT_MS) });
export const patient = (id) => ask(of(id));
export const alarms = (id, span) => ask(`${of(id)}/alarms?${query(span)}`);
export const scores = (id, span) => ask(`${of(id)}/scores?${query(span)}`);
export const acknowledge = (id, by) => tell(`${BASE}/alarms/acknowledge`, { id, by });
export const pause = (id, minutes, by, reason) => tell(`${of(id)}/pause`, { minutes, by, reason });
export const resume = (id, by) => tell(`${of(id)}/resume`, { by });

/** Ends the session. What the answer leads to is a page, and this is no place for it. */
export async function logOut() {
  const answer = await fetch("/logout", { method: "POST", credentials: "same-origin", redirect: "manual" });
  if (answer.type !== "opaqueredirect" && !answer.ok) await refuse(answer);
}

/** Goes to the login. Nobody sees what is in the page meanwhile, or when they come back to it. */
export function leave() {
  if (document.body.hidden) return;
  document.body.hidden = true;
  location.assign(LOGIN);
}

/** So many pages at most: a day at one bucket in five minutes needs one. */
const PAGES = 20;

/** The readings of a span in buckets of `every`, over all pages. */
export async function buckets(id, since, every) {
  const all = [];
  let cursor = null;
  for (let page = 0; page < PAGES; page += 1) {
    const answer = await ask(`${of(id)}/readings?${query({ since, every, ...(cursor && { cursor }) })}`);
    all.push(...answer.buckets);
    cursor = answer.next;
    if (!cursor) break;
  }
  return all;
}

/** Where the browser gets the readings of a span as a CSV file. */
export const csv = (id, since) => `${of(id)}/readings?${query({ since, format: "csv" })}`;

const of = (id) => `${BASE}/patients/${encodeURIComponent(id)}`;
const query = (parts) => new URLSearchParams(parts).toString();

const ask = (path) => send(path, {});
const tell = (path, body) =>
  send(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });

async function send(path, options) {
  // Vital signs are never kept by the browser.
  const answer = await fetch(path, { cache: "no-store", credentials: "same-origin", ...options });
  return answer.ok ? answer.json() : refuse(answer);
}

async function refuse(answer) {
  if (answer.status === 401) leave();
  const problem = await answer.json().catch(() => ({}));
  throw new Refused(answer.status, problem.detail ?? problem.title ?? `${answer.status}`, problem.hint ?? "");
}
