// The queue: rows followed by keyboard, several at once, a look beside the list; the list keeps the reader's place.
import { say } from "./desk.js";
import { keep } from "./place.js";

const page = () => document.getElementById("queue");
const list = () => document.getElementById("list");
const rows = () => [...list().querySelectorAll("tr[data-number]")];
const current = () => list().querySelector("tr[aria-current]");
const peek = () => document.getElementById("peek");
const bulk = () => document.getElementById("bulk");
// There is something to do with several rows.
const ticks = () => bulk().querySelector("[name=move], [data-act=checklist]") !== null;
const sheet = document.getElementById("sheet");
const wide = matchMedia("(min-width: 1700px)");
const picked = new Map(); // number → version as seen
let anchor = null;

async function fetched(address, options = {}) {
  const answer = await fetch(address, { credentials: "same-origin", ...options, headers: { "X-Fragment": "1", ...options.headers } });
  if (answer.status === 401) document.dispatchEvent(new Event("session-ended"));
  return answer;
}
const body = (id) => document.getElementById(id).content.cloneNode(true);

// ---- the current row ----------------------------------------------------------------------------

function point(row, scroll = true) {
  if (!row) return;
  current()?.removeAttribute("aria-current");
  row.setAttribute("aria-current", "true");
  if (scroll) row.scrollIntoView({ block: "nearest" });
  if (wide.matches || peek().classList.contains("open")) look(row.dataset.number, 200);
}

function look(number, delay = 0) {
  clearTimeout(look.timer);
  look.timer = setTimeout(async () => {
    if (peek().dataset.number === number) return;
    const bones = setTimeout(() => peek().replaceChildren(body("skeleton")), 300);
    try {
      const answer = await fetched(`/clues/${encodeURIComponent(number)}/peek`);
      if (!answer.ok || answer.redirected) throw new Error(answer.status);
      const html = await answer.text();
      clearTimeout(bones);
      peek().innerHTML = html;
      peek().dataset.number = number;
    } catch {
      clearTimeout(bones);
      peek().replaceChildren(body("peek-failed"));
      delete peek().dataset.number;
    }
  }, delay);
}

/** To the row beside the current one; past the page's end to the next page, past its start to the one before. */
async function step(by) {
  const all = rows();
  const to = all.indexOf(current()) + by;
  const link = (to >= all.length || to < 0) && current() ? list().querySelector(`.pager a[rel=${by > 0 ? "next" : "prev"}]`) : null;
  if (!link) { point(all[Math.max(0, Math.min(all.length - 1, to))]); return; }
  if (step.turning) return;
  step.turning = true;
  await turn(link.href);
  step.turning = false;
  point(by > 0 ? rows()[0] : rows().at(-1));
}

// ---- selection ------------------------------------------------------------------------------------

function mark() {
  for (const row of rows()) {
    const on = picked.has(row.dataset.number);
    row.classList.toggle("picked", on);
    row.querySelector("input").checked = on;
  }
  bulk().hidden = picked.size === 0 || !ticks();
  document.getElementById("bulk-count").textContent = picked.size;
  const all = document.getElementById("all");
  if (all) {
    const here = rows().filter((r) => picked.has(r.dataset.number)).length;
    all.checked = here > 0 && here === rows().length;
    all.indeterminate = here > 0 && here < rows().length;
  }
}

function pick(row, on = !picked.has(row.dataset.number)) {
  if (on) picked.set(row.dataset.number, row.querySelector("input").value); else picked.delete(row.dataset.number);
}

function range(row) {
  const all = rows();
  const [from, to] = [all.indexOf(anchor ?? row), all.indexOf(row)].sort((a, b) => a - b);
  for (const one of all.slice(Math.max(0, from), to + 1)) pick(one, true);
}

// ---- the list -------------------------------------------------------------------------------------

function settle() {
  for (const row of rows()) if (picked.has(row.dataset.number)) picked.set(row.dataset.number, row.querySelector("input").value);
  mark();
  keep(list(), location.pathname + location.search);
}

function failed(on) {
  document.querySelector(".list-card").classList.toggle("failed", on);
  document.querySelector(".list-card > .message")?.remove();
  if (on) document.querySelector(".list-card").prepend(body("list-failed"));
}

/** Tabs, reasons of today and the navigation count what the list has just shown. */
function count(fresh) {
  for (const name of ["today", "tabs"]) {
    const old = page().querySelector(`nav.${name}`);
    const link = old.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
    old.replaceWith(fresh.querySelector(`nav.${name}`));
    if (link) page().querySelector(`nav.${name} a[href="${CSS.escape(link)}"]`)?.focus();
  }
  tally(fresh);
}

function tally(root) {
  for (const number of root.querySelectorAll("[data-count]")) {
    const shown = document.querySelector(`.side [data-count="${number.dataset.count}"]`);
    if (!shown) continue;
    shown.textContent = number.textContent;
    shown.hidden = number.hidden;
  }
}

async function refresh(kind) {
  let html;
  try {
    const answer = await fetched(location.href);
    if (answer.redirected) { location.reload(); return; }
    if (!answer.ok) throw new Error(answer.status);
    html = await answer.text();
  } catch { failed(true); return; }
  failed(false);
  const at = current()?.dataset.number;
  const top = list().querySelector(".rows")?.scrollTop ?? 0;
  const before = new Set(rows().map((r) => r.dataset.number));
  const fresh = document.createElement("template");
  fresh.innerHTML = html;
  const counters = fresh.content.getElementById("counters");
  counters?.remove();
  list().replaceChildren(fresh.content);
  if (counters) count(counters.content);
  if (at) list().querySelector(`tr[data-number="${CSS.escape(at)}"]`)?.setAttribute("aria-current", "true");
  const scroller = list().querySelector(".rows");
  if (scroller) scroller.scrollTop = top;
  settle();
  if (kind === "CluesRaised" && rows().some((r) => !before.has(r.dataset.number))) say(document.getElementById("new-clues").innerHTML);
}

/** Another filter, tab or page: the same page fetched whole, its queue taken over, the address kept true. */
async function turn(address, push = true) {
  list().setAttribute("aria-busy", "true");
  const bones = setTimeout(() => list().replaceChildren(body("skeleton")), 300);
  try {
    const answer = await fetch(address, { credentials: "same-origin" });
    if (!answer.ok || answer.redirected) throw new Error(answer.status);
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    clearTimeout(bones);
    tally(fresh);
    page().replaceWith(document.adoptNode(fresh.getElementById("queue")));
    if (push) history.pushState(null, "", address);
    picked.clear();
    begin();
  } catch {
    location.assign(address);
  }
}

function begin() {
  settle();
  if (wide.matches && rows().length) point(rows()[0], false);
}

// ---- several at once ----------------------------------------------------------------------------

async function verb(move) {
  const chosen = picked.size ? [...picked.values()] : current() ? [current().querySelector("input").value] : [];
  if (!chosen.length) return;
  const form = new FormData(bulk());
  form.delete("clue");
  form.set("move", move);
  for (const value of chosen) form.append("clue", value);
  await show(form);
}

async function show(form) {
  try {
    const answer = await fetched("/clues/bulk", { method: "POST", body: form });
    if (!answer.ok || answer.redirected) throw new Error(answer.status);
    sheet.innerHTML = await answer.text();
    if (!sheet.open) sheet.showModal();
    (sheet.querySelector("select, input:not([type=hidden]), .primary") ?? sheet.querySelector(".acts .button")).focus();
  } catch { failed(true); }
}

sheet.addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = new FormData(event.target);
  form.set("sure", "1");
  await show(form);
  picked.clear();
  await refresh("moved");
});

// ---- listening ------------------------------------------------------------------------------------

document.addEventListener("desk:changed", (event) => {
  clearTimeout(refresh.timer);
  refresh.timer = setTimeout(() => refresh(event.detail), 150);
});

document.addEventListener("desk:key", (event) => {
  const { code, shift } = event.detail;
  const all = rows();
  const at = all.indexOf(current());
  const row = all[at];
  const done = () => event.preventDefault();
  if (code === "KeyJ" || code === "KeyK") { step(code === "KeyJ" ? 1 : -1); done(); }
  else if (code === "KeyX" && row && ticks()) { if (shift) range(row); else { pick(row); anchor = row; } mark(); done(); }
  else if (code === "Space" && (row || all[0])) {
    const target = row || all[0];
    if (!wide.matches && peek().classList.contains("open") && peek().dataset.number === target.dataset.number) peek().classList.remove("open");
    else { peek().classList.add("open"); point(target); }
    done();
  } else if (code === "Enter" && row) { row.querySelector("a.one").click(); done(); }
  else if (code === "KeyN" && all.length) { (all[at + 1] || all[0]).querySelector("a.one").click(); done(); }
  else if (code === "KeyF") { document.querySelector("#chips summary")?.click(); document.querySelector("#chips summary")?.focus(); done(); }
  else if (code === "Escape") {
    if (peek().classList.contains("open") && !wide.matches) peek().classList.remove("open");
    else { picked.clear(); mark(); }
  } else {
    const button = bulk().querySelector(`[data-key=${CSS.escape(code)}]`);
    if (button) { verb(button.value); done(); }
  }
});

document.addEventListener("desk:act", (event) => {
  const name = event.detail;
  if (name === "unselect") { picked.clear(); mark(); }
  else if (name === "checklist") {
    const chosen = new URLSearchParams([...picked.values()].map((value) => ["clue", value]));
    location.assign(`${bulk().querySelector("[data-act=checklist]").dataset.address}?${chosen}`);
  } else if (name === "retry") refresh("retry");
  else if (name === "close-peek") peek().classList.remove("open");
  else if (name === "close-sheet" || name === "finish") sheet.close();
});

document.addEventListener("click", (event) => {
  if (event.defaultPrevented || event.button || event.ctrlKey || event.metaKey || event.shiftKey) return;
  const link = event.target.closest("#queue .tabs a, #queue .chips a, #queue .today a, #queue .pager a, #queue .empty a[href^='?']");
  if (link) { event.preventDefault(); turn(link.getAttribute("href") === "?" ? location.pathname : link.href); return; }
  const row = event.target.closest("tr[data-number]");
  if (!row || event.target.closest("a")) return;
  if (event.target.type === "checkbox") { pick(row, event.target.checked); anchor = row; mark(); } else if (event.target.closest(".w-tick")) { pick(row); anchor = row; mark(); } else point(row, false);
});
document.addEventListener("change", (event) => {
  if (event.target.id !== "all") return;
  for (const row of rows()) pick(row, event.target.checked);
  mark();
});
document.addEventListener("submit", (event) => {
  if (event.target.id !== "bulk") return;
  event.preventDefault();
  if (event.submitter) verb(event.submitter.value);
});
addEventListener("popstate", () => turn(location.href, false));
begin();
