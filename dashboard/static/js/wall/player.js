// The player of one screen. It is told a timeline by the server's clock and goes on by it when nobody can be reached:
// prepare the next scene unseen, say that it is ready, put it on at the agreed moment, say how exactly that went.
import { Scene, ageOf } from "./scene.js";
import { clock, el, fill } from "./draw.js";

const setting = JSON.parse(document.getElementById("setting").textContent);
const { words } = setting;
const stage = document.getElementById("stage");
const where = document.body.dataset;
const PREPARE = 6000; // a scene is prepared so many milliseconds before its turn
const HEARTBEAT = 5000;
const POLL = 2500; // when the socket is down
const EXPECTED = 30000; // data older than twice this is late
const RELOAD_AFTER = 180000;

/** The server's clock: of the last pings the quickest one tells best. */
const time = {
  samples: [],
  offset: 0,
  latency: null,
  now() { return performance.timeOrigin + performance.now() + this.offset; },
  add(sent, server) {
    const back = performance.now();
    this.samples = [...this.samples.slice(-11), { trip: back - sent, offset: server - (performance.timeOrigin + (sent + back) / 2) }];
    const best = this.samples.reduce((a, b) => (b.trip < a.trip ? b : a));
    [this.offset, this.latency] = [best.offset, best.trip / 2];
  },
  /** From an answer by plain HTTP: only until a ping has told better. */
  rough(server) { if (!this.samples.length) this.offset = server - (performance.timeOrigin + performance.now()); },
};

const state = {
  timeline: [], switch: 0, visit: 0, scale: 1, version: setting.version,
  shown: null, // {piece, scene}: what is on the wall
  next: null, // {key, piece, scene, ready}: prepared unseen
  hears: true, drift: null, appliedAt: null, appliedSwitch: 0, readySaid: 0, heard: 0, alive: performance.now(), visitSaid: 0,
};
let socket = null;
let pause = 500;
let tries = 0;
const data = new Map();
const key = (piece) => `${piece.scene}|${JSON.stringify(piece.params)}`;
const stream = (camera) => `/wall/camera/${camera}/live.m3u8`;
const context = () => ({ ...setting, ids: true, now: () => time.now(), stream });

function say(message) {
  if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
}

// ---- the timeline ------------------------------------------------------------------------------------

function told(message) {
  time.rough(message.now);
  state.alive = performance.now();
  state.timeline = message.timeline;
  state.switch = message.switch;
  state.scale = Math.max(1, ...Object.values(message.screen.scales));
  document.documentElement.style.setProperty("--k", state.scale);
  if (message.visit !== state.visit) masked(message.visit);
  state.version = message.version;
  // Whether the server itself hears of events; if not, this screen asks as if its socket were down.
  state.hears = message.hears !== false;
  plan();
}

/** A visit began or ended: nothing that was sent before it stays on the screen or in memory. */
function masked(visit) {
  state.visit = visit;
  data.clear();
  drop(state.next);
  state.next = null;
  if (state.shown?.scene) {
    const { piece } = state.shown;
    const fresh = build(piece);
    const old = state.shown.scene;
    want(piece.scene).then((message) => {
      if (state.shown?.scene !== old) { fresh.dispose(); return; }
      if (message) fresh.update(message);
      fresh.box.classList.add("w-on");
      state.shown.scene = fresh;
      old.dispose();
      health();
    });
  }
}

const pieceAt = (at) => state.timeline.find((piece) => piece.since <= at && (piece.until === null || piece.until > at)) || state.timeline[state.timeline.length - 1];
const nextPiece = (at) => state.timeline.find((piece) => piece.since > at);

function build(piece) {
  if (piece.scene === "blank") return null;
  const spec = setting.scenes.find((one) => one.code === piece.scene);
  if (!spec) return null;
  const scene = new Scene(spec, context());
  scene.mount(stage, state.scale);
  return scene;
}

/** The data of a scene: what is held already, else asked for by socket, else by HTTP. */
async function want(scene) {
  if (scene === "blank") return null;
  say({ kind: "want", scene });
  const held = data.get(scene);
  if (held && performance.now() - held.at < EXPECTED) return held.message;
  for (let n = 0; n < 20 && socket?.readyState === WebSocket.OPEN; n += 1) {
    await new Promise((done) => { setTimeout(done, 50); });
    const found = data.get(scene);
    if (found && performance.now() - found.at < EXPECTED) return found.message;
  }
  return fetchData(scene);
}

async function fetchData(scene) {
  try {
    const answer = await fetch(`${where.data}${scene}`, { cache: "no-store" });
    if (!answer.ok) return null;
    const message = await answer.json();
    arrived(message);
    return message;
  } catch { return null; }
}

function arrived(message) {
  // What was built for the other kind of watcher is not shown, however late it comes.
  if (message.visitors !== Boolean(state.visit)) return;
  data.set(message.scene, { message, at: performance.now() });
  state.alive = performance.now();
  for (const held of [state.shown, state.next]) if (held?.scene?.spec.code === message.scene && !(held === state.shown && soon())) held.scene.update(message);
}

/** About to switch: nothing is drawn any more on what is about to go, so that the moment is not missed. */
const soon = () => Boolean(state.next?.ready && !state.next.same && state.next.piece.since - time.now() < 1500);

function drop(held) {
  held?.scene?.dispose();
}

/** Prepare what comes next, early enough; a switch is prepared at once. */
function plan() {
  const now = time.now();
  const due = pieceAt(now);
  let coming = nextPiece(now);
  if (due && (!state.shown || key(due) !== key(state.shown.piece))) coming = due;
  else if (state.shown && due) state.shown.piece = due;
  if (!coming) return;
  if (state.shown && key(coming) === key(state.shown.piece)) {
    // The same picture goes on under another act: nothing to prepare, ready at once.
    if (coming.switch > state.readySaid) { state.readySaid = coming.switch; say({ kind: "ready", switch: coming.switch }); }
    if (state.next && key(state.next.piece) !== key(coming)) { drop(state.next); state.next = null; }
    state.next ??= { piece: coming, scene: null, ready: true, same: true };
    state.next.piece = coming;
    aim();
    return;
  }
  if (coming.since - now > PREPARE) return;
  if (state.next && !state.next.same && key(state.next.piece) === key(coming)) {
    state.next.piece = coming;
    if (state.next.ready) announce(coming);
    aim();
    return;
  }
  if (!state.next?.same) drop(state.next);
  const held = { piece: coming, scene: build(coming), ready: false };
  state.next = held;
  prepare(held);
}

async function prepare(held) {
  const message = await want(held.piece.scene);
  if (state.next !== held) return;
  await held.scene?.ready();
  if (message) held.scene?.update(message);
  // Two frames: laid out and painted before it is called ready.
  await new Promise((done) => { requestAnimationFrame(() => requestAnimationFrame(done)); });
  if (state.next !== held) return;
  held.ready = Boolean(message) || held.piece.scene === "blank";
  if (!held.ready) { setTimeout(() => { if (state.next === held) prepare(held); }, 1500); return; }
  announce(held.piece);
  aim();
}

function announce(piece) {
  if (piece.switch && piece.switch > state.readySaid) {
    state.readySaid = piece.switch;
    say({ kind: "ready", switch: piece.switch });
    if (socket?.readyState !== WebSocket.OPEN) poll();
  }
}

let timer = null;
/** Wait coarsely, then look at the clock until the moment is there. */
function aim() {
  clearTimeout(timer);
  const held = state.next;
  if (!held?.ready) return;
  const left = held.piece.since - time.now();
  if (left > 40) { timer = setTimeout(aim, Math.min(left - 30, 60000)); return; }
  if (left > 0) { timer = setTimeout(aim, left > 8 ? 4 : 0); return; }
  put(held);
}

function put(held) {
  const at = time.now();
  state.next = null;
  const old = state.shown;
  if (held.same) { state.shown.piece = held.piece; } else {
    held.scene?.box.classList.add("w-on");
    state.shown = held;
    // The old picture lies under the new one until that has come up.
    if (old?.scene) { old.scene.box.classList.add("w-going"); setTimeout(() => old.scene.dispose(), 400); }
  }
  stage.classList.toggle("w-dark", held.piece.scene === "blank");
  if (held.piece.switch > state.appliedSwitch) {
    state.appliedSwitch = held.piece.switch;
    state.drift = at - held.piece.since;
    state.appliedAt = Math.round(at);
    window.dispatchEvent(new CustomEvent("wall:applied", { detail: { switch: held.piece.switch, at, since: held.piece.since } }));
  }
  look();
  health();
  if (state.version !== setting.version && !state.reloading) { state.reloading = true; setTimeout(() => reload(), 2000 + Math.random() * 8000); }
  plan();
}

// ---- what it says of itself --------------------------------------------------------------------------

let frames = 0;
let fps = null;
function count() { frames += 1; requestAnimationFrame(count); }
requestAnimationFrame(count);

function report() {
  const scene = state.shown?.scene;
  return {
    kind: "health", scene: state.shown?.piece.scene || "", switch: state.appliedSwitch, applied_at: state.appliedAt, drift_ms: state.drift,
    offset_ms: time.offset, latency_ms: time.latency, data_at: scene?.generated ? Date.parse(scene.generated) : null, version: setting.version,
    frames_per_second: fps, heap_mb: performance.memory ? performance.memory.usedJSHeapSize / 1048576 : null, width_px: innerWidth, height_px: innerHeight,
    // The mask is on when what is drawn was built for visitors, not when the word arrived.
    visit: state.visit && (!scene || data.get(scene.spec.code)?.message.visitors) ? state.visit : 0,
    problems: scene?.problems() || [],
  };
}

function health() { say(report()); }

function heartbeat() {
  fps = Math.round(frames / (HEARTBEAT / 1000));
  frames = 0;
  ping();
  health();
}

const ping = () => say({ kind: "ping", sent: performance.now() });

// ---- the ways to the server --------------------------------------------------------------------------

function connect() {
  socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}${where.socket}`);
  socket.addEventListener("open", () => {
    pause = 500;
    tries = 0;
    time.samples = [];
    for (let n = 0; n < 5; n += 1) setTimeout(ping, n * 60);
    if (state.shown) say({ kind: "want", scene: state.shown.piece.scene });
    setTimeout(health, 350);
    look();
  });
  socket.addEventListener("message", (event) => {
    const message = JSON.parse(event.data);
    state.heard = performance.now();
    if (message.kind === "pong") time.add(message.sent, message.now);
    else if (message.kind === "state") told(message);
    else if (message.kind === "data") arrived(message);
  });
  socket.addEventListener("close", () => {
    tries += 1;
    pause = Math.min(pause * 2, 30000);
    setTimeout(connect, pause / 2 + (Math.random() * pause) / 2);
    look();
  });
}

let polling = false;
async function poll() {
  if (polling) return;
  polling = true;
  try {
    const body = { ...report(), ready: state.next?.ready && state.next.piece.switch ? state.next.piece.switch : undefined };
    const answer = await fetch(where.state, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
    if (answer.status === 401) { location.reload(); return; }
    if (!answer.ok) throw new Error(String(answer.status));
    told(await answer.json());
    if (state.shown && state.shown.piece.scene !== "blank") await fetchData(state.shown.piece.scene);
  } catch { /* the canvas says how long nothing was heard */ } finally { polling = false; look(); }
}

/** Never into an error page: the page is loaded anew only when the server answers. */
async function reload() {
  try {
    const answer = await fetch(location.href, { method: "HEAD", cache: "no-store" });
    if (answer.ok || answer.status === 401) location.reload();
  } catch { /* later */ }
  state.reloading = false;
}

// ---- what is said on the canvas ----------------------------------------------------------------------

function look() {
  const now = time.now();
  const silent = performance.now() - state.alive;
  const { shown } = state;
  const scene = shown?.scene;
  stage.dataset.socket = socket?.readyState === WebSocket.OPEN ? "open" : "down";
  document.getElementById("waiting").hidden = Boolean(shown);
  if (!scene) return;
  const dataAge = scene.heard ? performance.now() - scene.heard : Infinity;
  const name = Number.isFinite(dataAge) ? ageOf(dataAge, EXPECTED) : "late";
  const due = pieceAt(now);
  let said = "";
  if (silent > 3 * POLL + 2000) said = fill(words.unreachable, clock(scene.generated || Date.now()));
  else if (due && key(due) !== key(shown.piece) && due.since < now - 400) said = `${fill(words.frozen, clock(scene.generated || Date.now()))} · ${fill(words.preparing, setting.scenes.find((one) => one.code === due.scene)?.title || due.scene)}`;
  else if ((socket?.readyState !== WebSocket.OPEN && tries > 0) || !state.hears) said = words.polling;
  scene.state(silent > 3 * POLL + 2000 && name === "live" ? "late" : name, said);
  const flags = [];
  if (state.visit) flags.push(words.visitor);
  if (shown.piece.why === "held") flags.push(words.held);
  if (shown.piece.why === "interrupt") flags.push(`▲ ${words.interrupt} ${shown.piece.title ? shown.piece.title[setting.english ? "en" : "zh"] : ""}`);
  scene.flags(...flags);
  scene.tick(now, setting.english);
  stage.classList.toggle("w-night", shown.piece.why === "blank");
}

setInterval(look, 1000);
setInterval(() => { plan(); }, 500);
setInterval(heartbeat, HEARTBEAT);
setInterval(() => {
  if (socket?.readyState !== WebSocket.OPEN || performance.now() - state.heard > 3 * HEARTBEAT) poll();
  else if (!state.hears) { health(); if (state.shown) say({ kind: "want", scene: state.shown.piece.scene }); }
}, POLL + Math.random() * 500);
// Slow refresh although nothing was said: what changes with the clock alone.
setInterval(() => { if (state.shown) say({ kind: "want", scene: state.shown.piece.scene }); }, EXPECTED);
setInterval(() => { if (!soon()) state.shown?.scene?.draw(); }, 12000);
setInterval(() => { document.body.dataset.drift = (Number(document.body.dataset.drift || 0) + 1) % 4; }, 600000);
setInterval(() => { if (performance.now() - state.alive > RELOAD_AFTER && !state.reloading) { state.reloading = true; reload(); } }, 30000);
// Nightly, each screen at its own minute: what leaked by day is gone.
setTimeout(() => { state.reloading = true; reload(); }, ((27 * 3600 - ((Date.now() / 1000 + 8 * 3600) % 86400)) % 86400 + 60 + Math.random() * 3000) * 1000);
addEventListener("resize", () => { for (const held of [state.shown, state.next]) held?.scene?.resize(state.scale); });
window.addEventListener("error", (event) => { console.error(event.message); });
stage.append(el("p", "w-waiting", words.loading));
stage.lastElementChild.id = "waiting";
connect();
setTimeout(() => { if (!state.timeline.length) poll(); }, 1500);
