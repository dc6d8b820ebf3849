// The signed-in stay: when it ends the page stays, its text stays, and the person may sign in again beside it.
const box = document.getElementById("stay");
let timer = null;
let heard = Date.now();

async function ask() {
  const answer = await fetch(box.dataset.ask, { headers: { "X-Background": "1" }, credentials: "same-origin", cache: "no-store" });
  if (answer.status === 401) { over(answer.headers.get("X-Session")); return null; }
  if (!answer.ok) return undefined;
  heard = Date.now();
  return answer.json();
}

function over(why) {
  clearTimeout(timer);
  // A duty post goes back to its board; nobody's page stays on it.
  if (box.dataset.post) { location.replace(box.dataset.post); return; }
  const known = box.querySelector(`[data-why="${CSS.escape(why || "other")}"]`) ? why : "other";
  for (const line of box.querySelectorAll("[data-why]")) line.hidden = line.dataset.why !== known;
  if (!box.open) box.showModal();
}

function wait(seconds) {
  clearTimeout(timer);
  timer = setTimeout(look, Math.min(Math.max(seconds, 1) * 1000 + 500, 300000));
}

async function look() {
  const stay = await ask().catch(() => undefined);
  if (stay) wait(stay.seconds);
  else if (stay === undefined) wait(30);
}

async function again() {
  const stay = await ask().catch(() => undefined);
  if (!stay) return;
  const other = stay.person !== box.dataset.person;
  box.querySelector("[data-other]").hidden = !other;
  if (other) return;
  // Signing in renewed the token that forms carry.
  for (const field of document.querySelectorAll("input[name=csrfmiddlewaretoken]")) field.value = stay.csrf;
  box.close();
  wait(stay.seconds);
}

// A form that has stood open asks first, so that nothing typed is lost to a sign-in page.
document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (event.defaultPrevented || form.method !== "post" || form.dataset.asked || Date.now() - heard < 60000) return;
  event.preventDefault();
  const stay = await ask().catch(() => undefined);
  if (stay === null) return;
  if (stay && stay.person !== box.dataset.person) { over("other"); box.querySelector("[data-other]").hidden = false; return; }
  form.dataset.asked = "1";
  form.requestSubmit(event.submitter);
  delete form.dataset.asked;
}, true);

document.addEventListener("session-ended", () => look());
document.addEventListener("htmx:responseError", (event) => { if (event.detail?.xhr?.status === 401) look(); });
window.addEventListener("focus", () => { if (box.open) again(); });
document.addEventListener("visibilitychange", () => { if (!document.hidden && !box.open) look(); });
box.addEventListener("cancel", (event) => event.preventDefault());
box.querySelector("[data-again]").addEventListener("click", again);
look();
