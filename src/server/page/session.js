// Who has logged in on this screen, and what they may do. An open server asks nobody: there everybody may do everything.

import * as api from "./api.js";
import { beginSession, forgetWho } from "./settings.js";

const RETRY_MS = 2000;

/** Before the first answer nobody may do anything: a button that is taken away again is worse than one that comes. */
let session = { name: null, role: null };
let asking = null;

/** Tells the other pages of this browser: they share its cookie, and would show the ward on and on. */
const others = new BroadcastChannel("ward.session");
others.onmessage = () => askSession();

/** What the name of whoever has logged in, and their role, are; the name is null where nobody has to. */
export const currentSession = () => session;

/** Whether alarms can be acknowledged and paused here. The server decides that anew, each time. */
export const mayAct = () => session.role === "nurse" || session.role === "admin";

/** Asks until it is known who this is. */
export async function learnSession() {
  while (session.role === null) {
    await askSession();
    if (session.role === null) await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
}

/** Asks once more, where somebody may be logged in no longer: then the answer leads to the login. */
export function askSession() {
  asking ??= ask().finally(() => (asking = null));
  return asking;
}

async function ask() {
  let answer;
  try {
    answer = await api.session();
  } catch {
    // A server that is away is told of by the stream.
    return;
  }
  const isFirst = session.role === null;
  if (!isFirst && (answer.name !== session.name || answer.role !== session.role)) {
    // Somebody else has logged in on another page of this browser.
    location.reload();
    return;
  }
  session = answer;
  if (isFirst && answer.name !== null) beginSession(answer.name);
}

/** Ends the session, for all pages of this browser. Throws where the server does not. */
export async function logOut() {
  await api.logOut();
  forgetWho();
  others.postMessage("ended");
  api.leave();
}
