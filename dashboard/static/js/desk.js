// The desk, live: hears that something changed, fetches what the page may show, keeps the reader's place.
const chip = document.getElementById("live");
const toast = document.getElementById("toast");
const list = document.getElementById("list");
let pause = 500;
let timer = null;

function say(text) {
  toast.textContent = text;
  toast.hidden = false;
  clearTimeout(say.timer);
  say.timer = setTimeout(() => { toast.hidden = true; }, 5000);
}

function state(value) {
  chip.dataset.state = value;
  chip.textContent = value === "on" ? chip.dataset.on : chip.dataset.off;
}

async function refresh(kind) {
  if (!list) return;
  const answer = await fetch(location.href, { headers: { "X-Fragment": "1" }, credentials: "same-origin" });
  if (answer.status === 401) document.dispatchEvent(new Event("session-ended"));
  if (!answer.ok || answer.redirected) return;
  const current = list.querySelector("tr[aria-current]")?.dataset.number;
  const before = new Set([...list.querySelectorAll("tr[data-number]")].map((r) => r.dataset.number));
  list.innerHTML = await answer.text();
  if (current) list.querySelector(`tr[data-number="${CSS.escape(current)}"]`)?.setAttribute("aria-current", "true");
  const fresh = [...list.querySelectorAll("tr[data-number]")].some((r) => !before.has(r.dataset.number));
  if (kind === "CluesRaised" && fresh) say(document.getElementById("new-clues").innerHTML);
}

function soon(kind) {
  clearTimeout(timer);
  timer = setTimeout(() => refresh(kind), 150);
}

function connect() {
  const socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}${document.body.dataset.live}`);
  socket.addEventListener("open", () => { state("on"); pause = 500; soon("open"); });
  socket.addEventListener("message", (event) => soon(JSON.parse(event.data).kind));
  socket.addEventListener("close", (event) => {
    state("off");
    document.dispatchEvent(new Event("session-ended"));
    if (event.code === 4401) return;
    pause = Math.min(pause * 2, 30000);
    setTimeout(connect, pause / 2 + Math.random() * pause / 2);
  });
}
if (document.body.dataset.live) connect();

// Keyboard: off in fields and while composing.
document.addEventListener("keydown", (event) => {
  if (event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
  if (/^(INPUT|TEXTAREA|SELECT)$/.test(document.activeElement?.tagName || "")) return;
  if (event.code === "Slash") { event.preventDefault(); document.querySelector(".search input")?.focus(); return; }
  if (!list) return;
  const rows = [...list.querySelectorAll("tr[data-number]")];
  const at = rows.findIndex((r) => r.hasAttribute("aria-current"));
  if (event.code === "KeyJ" || event.code === "KeyK") {
    const next = rows[Math.max(0, Math.min(rows.length - 1, at + (event.code === "KeyJ" ? 1 : -1)))];
    rows[at]?.removeAttribute("aria-current");
    next?.setAttribute("aria-current", "true");
    next?.scrollIntoView({ block: "nearest" });
  } else if (event.code === "Enter" && at >= 0) {
    rows[at].querySelector("a")?.click();
  }
});
