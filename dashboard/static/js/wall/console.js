// The console: every screen drawn small from the very data that it shows, chosen with mouse, touch or keys, acted on together.
import { Scene } from "./scene.js";
import { clock, el, fill } from "./draw.js";

const setting = JSON.parse(document.getElementById("setting").textContent);
const labels = JSON.parse(document.getElementById("labels").textContent);
const root = document.getElementById("console");
const token = document.querySelector("input[name=csrfmiddlewaretoken]").value;
const chosen = new Set();
const thumbs = new Map();
const blocks = new Map();
let now = JSON.parse(document.getElementById("now").textContent);
let skew = now.now - Date.now();

/** One act; says in words what went wrong. */
async function act(name, body) {
  const said = document.getElementById("said");
  try {
    const answer = await fetch(`${root.dataset.act}${name}`, { method: "POST", headers: { "Content-Type": "application/json", "X-CSRFToken": token }, body: JSON.stringify(body) });
    const found = await answer.json().catch(() => ({}));
    said.hidden = answer.ok;
    said.querySelector("span").textContent = answer.ok ? "" : found.why || labels.failed;
  } catch {
    said.hidden = false;
    said.querySelector("span").textContent = labels.failed;
  }
  await refresh();
}

function choose(code, on) {
  if (on) chosen.add(code); else chosen.delete(code);
  const card = root.querySelector(`[data-screen="${code}"]`);
  card.setAttribute("aria-pressed", String(chosen.has(code)));
  document.getElementById("chosen").textContent = chosen.size ? fill(labels.chosen, chosen.size) : labels.choose;
  for (const button of root.querySelectorAll("[data-needs]")) button.disabled = chosen.size === 0;
}

// ---- thumbnails --------------------------------------------------------------------------------------

async function dataOf(scene) {
  const kept = blocks.get(scene);
  if (kept && performance.now() - kept.at < 15000) return kept.found;
  const found = fetch(`${root.dataset.data}${scene}`, { headers: { "X-Background": "1" } }).then((answer) => (answer.ok ? answer.json() : null)).catch(() => null);
  blocks.set(scene, { at: performance.now(), found });
  return found;
}

function draw(box, code, width, height) {
  const spec = setting.scenes.find((one) => one.code === code);
  const held = thumbs.get(box);
  if (held?.code !== code) {
    held?.scene?.dispose();
    box.replaceChildren();
    thumbs.delete(box);
    if (!spec) return;
    // As large as the true canvas (1080 units high), then made small: the same layout as on the wall.
    const sheet = el("div", "thumb-sheet");
    sheet.style.height = "1080px";
    sheet.style.width = `${Math.round((1080 * width) / height)}px`;
    sheet.inert = true;
    box.append(sheet);
    const scene = new Scene(spec, { ...setting, ids: false, now: () => Date.now() + skew, stream: null, still: true });
    scene.mount(sheet, 1);
    scene.box.classList.add("w-on");
    thumbs.set(box, { code, scene, sheet });
  }
  fit(box);
  const { scene } = thumbs.get(box);
  dataOf(code).then((message) => { if (message && thumbs.get(box)?.scene === scene) { scene.update(message); scene.state("live"); scene.tick(Date.now() + skew, setting.english); } });
}

function fit(box) {
  const held = thumbs.get(box);
  if (held) held.sheet.style.transform = `scale(${box.clientWidth / held.sheet.offsetWidth})`;
}

// ---- what is going on --------------------------------------------------------------------------------

const TONES = { live: ["good", "●"], drifting: ["soon", "◆"], gone: ["urgent", "▲"], unpaired: ["none", "○"], off: ["none", "○"] };

function card(row) {
  const box = root.querySelector(`[data-screen="${row.code}"]`);
  if (!box) return;
  const [tone, shape] = TONES[row.state];
  const at = Date.now() + skew;
  box.dataset.state = row.state;
  box.querySelector(".name").textContent = row.title || labels.blank;
  const health = box.querySelector(".health");
  health.className = `health t-${tone}`;
  health.textContent = `${shape} ${row.state === "gone" ? (row.seen ? fill(labels.ago, Math.max(1, Math.round((at - row.seen) / 60000))) : labels.never) : labels[row.state]}`;
  box.querySelector(".why").textContent = `${labels.why[row.why] || ""}${row.until && row.why !== "scene" ? ` · ${fill(labels.seconds, Math.max(0, Math.round((row.until - at) / 1000)))}` : ""}`;
  box.querySelector(".data").textContent = row.data_at ? `${labels.data} ${clock(row.data_at)}` : "";
  box.querySelector(".drift").textContent = row.drift_ms === null ? labels.noDrift : fill(labels.drift, Math.round(Math.abs(row.drift_ms)));
  const trouble = [...row.problems, ...(row.legible ? [] : [labels.small])];
  box.querySelector(".trouble").textContent = trouble.length ? `◆ ${trouble.join("、")}` : "";
  const over = box.querySelector(".thumb-over");
  over.hidden = row.state === "live" || row.state === "drifting";
  over.toggleAttribute("data-plain", row.state !== "gone");
  over.textContent = row.state === "gone" && row.seen ? fill(labels.frozen, clock(row.seen)) : labels[row.state];
  // A screen that is gone keeps what it last showed.
  draw(box.querySelector(".thumb"), row.state === "gone" && row.shown ? row.shown : row.scene, row.width, row.height);
}

function say(found) {
  skew = found.now - Date.now();
  const live = found.screens.filter((row) => row.state === "live" || row.state === "drifting").length;
  document.getElementById("summary").textContent = fill(labels.summary, found.screens.length, live) + (found.switch ? ` · ${fill(labels.spread, clock(found.switch.at), found.switch.spread_ms === null ? "—" : Math.round(found.switch.spread_ms))}` : "");
  for (const row of found.screens) card(row);
  const visit = document.getElementById("visit");
  visit.hidden = !found.visit;
  document.getElementById("begin-visit").hidden = Boolean(found.visit);
  if (found.visit) {
    visit.dataset.safe = String(found.visit.safe);
    visit.querySelector("b").textContent = found.visit.safe ? `● ${labels.safe}` : `◆ ${labels.waiting}`;
    visit.querySelector("span").textContent = [fill(labels.acked, found.visit.acknowledged, found.visit.expected), found.visit.safe ? labels.allAcked : fill(labels.missing, found.visit.missing.join("、")), found.visit.kept_back ? fill(labels.kept, found.visit.kept_back) : ""].filter(Boolean).join(" · ");
  }
  const interrupts = document.getElementById("interrupts");
  interrupts.hidden = !found.interrupts.length;
  interrupts.querySelector("span").textContent = found.interrupts.map((row) => `${row.title} · ${fill(labels.seconds, Math.max(0, Math.round((row.until - found.now) / 1000)))}`).join("　");
}

async function refresh() {
  try {
    const answer = await fetch(root.dataset.state, { headers: { "X-Background": "1" }, cache: "no-store" });
    if (answer.ok) { now = await answer.json(); say(now); }
  } catch { /* the desk's own mark says that nothing is heard */ }
}

// ---- acts --------------------------------------------------------------------------------------------

root.addEventListener("click", (event) => {
  const button = event.target.closest("button, [data-screen]");
  if (!button || button.disabled) return;
  if (button.dataset.screen) { choose(button.dataset.screen, !chosen.has(button.dataset.screen)); return; }
  if (button.dataset.group) {
    const codes = [...root.querySelectorAll(`[data-of="${button.dataset.group}"]`)].map((one) => one.dataset.screen);
    const all = codes.every((code) => chosen.has(code));
    for (const code of codes) choose(code, !all);
    return;
  }
  if (button.dataset.scene) { if (chosen.size) act("show", { screens: [...chosen], scene: button.dataset.scene }); return; }
  if (button.dataset.playlist) { if (chosen.size) act("play", { screens: [...chosen], playlist: button.dataset.playlist }); return; }
  if (button.dataset.do) act(button.dataset.do, button.hasAttribute("data-needs") ? { screens: [...chosen] } : {});
});
root.addEventListener("keydown", (event) => {
  if ((event.code === "Space" || event.code === "Enter") && event.target.dataset.screen) { event.preventDefault(); choose(event.target.dataset.screen, !chosen.has(event.target.dataset.screen)); }
});
root.addEventListener("dragstart", (event) => {
  const scene = event.target.closest("[data-scene]");
  if (scene) event.dataTransfer.setData("text/x-scene", scene.dataset.scene);
});
for (const target of root.querySelectorAll("[data-screen], [data-drop]")) {
  target.addEventListener("dragover", (event) => { if (event.dataTransfer.types.includes("text/x-scene")) { event.preventDefault(); target.classList.add("over"); } });
  target.addEventListener("dragleave", () => target.classList.remove("over"));
  target.addEventListener("drop", (event) => {
    event.preventDefault();
    target.classList.remove("over");
    const scene = event.dataTransfer.getData("text/x-scene");
    if (!scene) return;
    if (target.dataset.drop) act("show", { group: target.dataset.drop, scene });
    else act("show", { screens: chosen.has(target.dataset.screen) ? [...chosen] : [target.dataset.screen], scene });
  });
}

for (const box of root.querySelectorAll(".scene-thumb")) draw(box, box.dataset.of, 16, 9);
for (const row of now.screens) choose(row.code, false);
say(now);
setInterval(refresh, 2500);
addEventListener("resize", () => { for (const box of thumbs.keys()) fit(box); });
