// The page that asks for a token. The form works without this: here it gets its words, and says why it is back.

import { byId } from "./dom.js";
import { forgetWho, showLook } from "./settings.js";
import { loadWords } from "./words.js";

/** What the server puts behind the address of this page where it let nobody in. */
const REASONS = ["refused", "crowded", "away"];

showLook();
forgetWho();
// Whoever goes back to this page finds no token in it.
addEventListener("pagehide", () => byId("login").reset());
// Whoever came for a patient gets there: what is behind the hash goes along, and no server sees it.
byId("login").action += location.hash;
await loadWords();
// With its words, so that a screen reader says them when it comes.
const asked = new URLSearchParams(location.search);
const reason = REASONS.find((name) => asked.has(name));
if (reason) {
  byId(reason).hidden = false;
  byId("token").setAttribute("aria-describedby", `${reason} where`);
  // The other reasons say nothing of the token.
  if (reason === "refused") byId("token").setAttribute("aria-invalid", "true");
}
