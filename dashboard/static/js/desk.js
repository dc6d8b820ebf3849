// Every desk page: live chip, toasts, keyboard, the palette of all keys. Pages listen to "desk:changed" and "desk:key".
const chip = document.getElementById("live");
const toast = document.getElementById("toast");
const palette = document.getElementById("palette");
const root = document.documentElement;
let pause = 500;

export function say(text) {
  toast.textContent = text;
  toast.hidden = false;
  clearTimeout(say.timer);
  say.timer = setTimeout(() => { toast.hidden = true; }, 5000);
}

export const remembered = {
  get: (key) => { try { return localStorage.getItem(key); } catch { return null; } },
  set: (key, value) => { try { if (value === null) localStorage.removeItem(key); else localStorage.setItem(key, value); } catch { /* storage may be closed; the page works without */ } },
};

// One toast at a time; it stays while a person is on it.
const flashed = [...document.querySelectorAll(".toast.message")];
flashed.slice(0, -1).forEach((old) => { old.hidden = true; });
for (const message of flashed) {
  const leave = () => { message.classList.add("going"); setTimeout(() => { message.hidden = true; }, 150); };
  let timer = setTimeout(leave, 5000);
  for (const [stay, go] of [["mouseenter", "mouseleave"], ["focusin", "focusout"]]) {
    message.addEventListener(stay, () => clearTimeout(timer));
    message.addEventListener(go, () => { timer = setTimeout(leave, 2000); });
  }
  message.querySelector("button").addEventListener("click", leave);
}

// ---- live -------------------------------------------------------------------------------------

function state(value) {
  chip.dataset.state = value;
  chip.textContent = value === "on" ? chip.dataset.on : chip.dataset.off;
  if (value !== "on") return;
  const age = document.createElement("span");
  age.className = "asof";
  age.textContent = `・${chip.dataset.asof} ${new Date().toLocaleTimeString("zh-CN", { hour: "2-digit", minute: "2-digit", hour12: false, timeZone: "Asia/Shanghai" })}`;
  chip.append(age);
}

function changed(kind) {
  state("on");
  document.dispatchEvent(new CustomEvent("desk:changed", { detail: kind }));
}

function connect() {
  const socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}${document.body.dataset.live}`);
  socket.addEventListener("open", () => { pause = 500; changed("open"); });
  socket.addEventListener("message", (event) => changed(JSON.parse(event.data).kind));
  socket.addEventListener("close", (event) => {
    state("off");
    document.dispatchEvent(new Event("session-ended"));
    if (event.code === 4401) return;
    pause = Math.min(pause * 2, 30000);
    setTimeout(connect, pause / 2 + Math.random() * pause / 2);
  });
}
if (document.body.dataset.live) connect();

// ---- density ----------------------------------------------------------------------------------

function density(value) {
  if (value === "loose") root.dataset.density = "loose"; else delete root.dataset.density;
  for (const button of document.querySelectorAll("button.chip[data-act=density] span")) {
    button.textContent = value === "loose" ? button.parentElement.dataset.loose : button.parentElement.dataset.tight;
  }
}
density(remembered.get("density"));

// ---- keyboard: by place on the board, off in fields, while composing, or by preference ------------

let going = 0;
const typing = () => /^(INPUT|TEXTAREA|SELECT)$/.test(document.activeElement?.tagName || "") && !/^(checkbox|radio)$/.test(document.activeElement.type);

document.addEventListener("keydown", (event) => {
  if (event.isComposing || event.keyCode === 229) return;
  if (event.code === "Enter" && (event.ctrlKey || event.metaKey)) {
    const form = document.activeElement?.closest("form");
    if (form && !form.classList.contains("search")) { event.preventDefault(); form.requestSubmit(); }
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.code === "Escape") { if (typing()) document.activeElement.blur(); else press("Escape", event); return; }
  if (typing() || document.querySelector("dialog[open]")) return;
  if (event.code === "Slash" && event.shiftKey) { event.preventDefault(); open(); return; }
  if (remembered.get("keys") === "off") return;
  if (/^(BUTTON|A|SUMMARY)$/.test(document.activeElement?.tagName || "") && /^(Enter|Space)$/.test(event.code)) return;
  if (going && Date.now() - going < 1200) {
    going = 0;
    const place = palette.querySelector(`a[data-go="${event.code}"]`);
    if (place) { event.preventDefault(); place.click(); return; }
  }
  press(event.code, event);
});

function press(code, event) {
  if (code === "KeyG") { going = Date.now(); return; }
  if (code === "Slash") { event?.preventDefault(); document.querySelector(".search input")?.focus(); return; }
  if (code === "KeyV") { act("density"); return; }
  const handled = !document.dispatchEvent(new CustomEvent("desk:key", { detail: { code, shift: event?.shiftKey }, cancelable: true }));
  if (handled) event?.preventDefault();
}

function act(name) {
  if (name === "density") {
    const next = root.dataset.density === "loose" ? null : "loose";
    remembered.set("density", next);
    density(next);
  } else if (name === "keys") {
    remembered.set("keys", remembered.get("keys") === "off" ? null : "off");
  } else if (name === "print") {
    window.print();
  } else {
    document.dispatchEvent(new CustomEvent("desk:act", { detail: name }));
  }
}

document.addEventListener("click", (event) => {
  const target = event.target.closest("[data-press], [data-act], [data-do]");
  if (target) {
    if (target.closest("#palette")) palette.close();
    if (target.dataset.press) press(target.dataset.press);
    else if (target.dataset.do) document.dispatchEvent(new CustomEvent("desk:move", { detail: target.dataset.do }));
    else { if (target.tagName === "A" && document.querySelector("dialog[open]")) event.preventDefault(); act(target.dataset.act); }
  }
  for (const chosen of document.querySelectorAll("details.chip[open]")) if (!chosen.contains(event.target)) chosen.open = false;
});

// ---- palette ----------------------------------------------------------------------------------

const entry = document.getElementById("palette-search");
const lines = [...palette.querySelectorAll("li:not(.head, .none)")];

function open() {
  entry.value = "";
  narrow();
  const toggle = palette.querySelector("[data-act=keys]");
  toggle.textContent = remembered.get("keys") === "off" ? toggle.dataset.off : toggle.dataset.on;
  palette.showModal();
  entry.focus();
}

function choose(line) {
  for (const other of lines) other.toggleAttribute("aria-selected", other === line);
  line?.scrollIntoView({ block: "nearest" });
}

function narrow() {
  const words = entry.value.trim().toLowerCase();
  for (const line of lines) line.hidden = !line.textContent.toLowerCase().includes(words);
  const shown = lines.filter((line) => !line.hidden);
  for (const head of palette.querySelectorAll(".head")) {
    let next = head.nextElementSibling;
    while (next && next.hidden && !next.matches(".head")) next = next.nextElementSibling;
    head.hidden = !next || next.matches(".head, .none");
  }
  palette.querySelector(".none").hidden = shown.length > 0;
  choose(words ? shown[0] : null);
}

document.getElementById("help").addEventListener("click", open);
entry.addEventListener("input", narrow);
entry.addEventListener("keydown", (event) => {
  if (event.isComposing) return;
  const shown = lines.filter((line) => !line.hidden);
  const at = shown.findIndex((line) => line.hasAttribute("aria-selected"));
  if (event.code === "ArrowDown" || event.code === "ArrowUp") {
    event.preventDefault();
    choose(shown[Math.max(0, Math.min(shown.length - 1, at + (event.code === "ArrowDown" ? 1 : -1)))]);
  } else if (event.code === "Enter") {
    event.preventDefault();
    if (at >= 0) { palette.close(); shown[at].querySelector("a, button")?.click(); }
  }
});
palette.addEventListener("click", (event) => { if (event.target === palette) palette.close(); });

// ---- unsaved work stays on this machine ----------------------------------------------------------

const person = document.body.dataset.person;
const sent = sessionStorage.getItem("sent");
if (sent && flashed.some((m) => m.classList.contains("success"))) remembered.set(sent, null);
sessionStorage.removeItem("sent");

for (const form of document.querySelectorAll("form[data-draft]")) {
  const key = `draft/${person}/${form.dataset.draft}`;
  const fields = [...form.elements].filter((f) => f.name && !["csrfmiddlewaretoken", "version"].includes(f.name) && f.type !== "hidden");
  const texts = fields.filter((f) => /^(text|textarea)$/.test(f.type));
  const kept = JSON.parse(remembered.get(key) || "null");
  if (kept && texts.every((f) => !f.value)) {
    for (const field of fields) {
      if (!(field.name in kept)) continue;
      if (field.type === "radio") field.checked = field.value === kept[field.name]; else field.value = kept[field.name];
    }
    form.dispatchEvent(new CustomEvent("draft:restored"));
    form.dataset.restored = "true";
  }
  form.addEventListener("input", () => {
    const values = Object.fromEntries(fields.filter((f) => f.type !== "radio" || f.checked).map((f) => [f.name, f.value]));
    remembered.set(key, texts.some((f) => f.value) ? JSON.stringify(values) : null);
  });
  form.addEventListener("draft:discard", () => { remembered.set(key, null); });
}
document.addEventListener("submit", (event) => {
  const draft = event.target.dataset.draft;
  if (draft && !event.defaultPrevented) sessionStorage.setItem("sent", `draft/${person}/${draft}`);
});
document.querySelector(".me form")?.addEventListener("submit", () => {
  for (const key of Object.keys(localStorage)) if (key.startsWith(`draft/${person}/`)) remembered.set(key, null);
});
