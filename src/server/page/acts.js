// What people do to alarms: acknowledge, pause, and end a pause. Who does it is asked once a session.

import { alarmText, say, shown } from "./words.js";
import * as api from "./api.js";
import { byId, put } from "./dom.js";
import { rememberWho, who } from "./settings.js";

const PAUSE_MINUTES = 2;

/** Acknowledges an alarm and gives it as it is now, or null where the user turned back. Throws what is refused. */
export function acknowledge(alarm) {
  const act = ({ by }) => api.acknowledge(alarm.id, by);
  if (who() !== "") return act({ by: who() });
  return ask({ title: "acknowledge", about: say("acknowledge.about", { text: alarmText(alarm) }), act });
}

export const pause = (id) =>
  ask({
    title: "pause",
    about: say("pause.about"),
    fields: ["minutes", "reason"],
    act: ({ by, minutes, reason }) => api.pause(id, minutes, by, reason),
  });

export const resume = (id) =>
  ask({
    title: "resume",
    about: say("resume.about"),
    act: ({ by }) => api.resume(id, by),
  });

export const askWho = () => ask({ title: "who", about: "", act: async ({ by }) => by });

/** What went wrong, for people. */
export function problemWords(error) {
  if (!(error instanceof api.Refused)) return say("unreachable");
  const detail = shown([error.message, error.hint].filter(Boolean).join(". "));
  return say("refused", { detail });
}

/** Asks in a dialog, and acts; the dialog stays open, with what went wrong, until that worked or the user cancels. */
function ask({ title, about, fields = [], act }) {
  const dialog = byId("act-dialog");
  const form = dialog.querySelector("form");
  const problem = byId("act-problem");
  put(byId("act-title"), say(title));
  put(byId("act-go"), say(title === "who" ? "close" : title));
  put(byId("act-about"), about);
  byId("act-minutes-row").hidden = !fields.includes("minutes");
  byId("act-reason-row").hidden = !fields.includes("reason");
  byId("act-minutes").disabled = !fields.includes("minutes");
  byId("act-minutes").value = PAUSE_MINUTES;
  byId("act-by").value = who();
  byId("act-reason").value = "";
  problem.hidden = true;
  return new Promise((resolve) => {
    let answer = null;
    form.onsubmit = async (event) => {
      event.preventDefault();
      const by = byId("act-by").value.trim();
      if (by === "") return;
      byId("act-go").disabled = true;
      try {
        const minutes = Number(byId("act-minutes").value);
        answer = await act({ by, minutes, reason: byId("act-reason").value.trim() });
        rememberWho(by);
        dialog.close();
      } catch (error) {
        put(problem, problemWords(error));
        problem.hidden = false;
      } finally {
        byId("act-go").disabled = false;
      }
    };
    byId("act-cancel").onclick = () => dialog.close();
    dialog.onclose = () => resolve(answer);
    dialog.showModal();
    byId(who() === "" || fields.length === 0 ? "act-by" : `act-${fields[0]}`).focus();
  });
}
