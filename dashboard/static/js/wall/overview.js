// The overview for whoever is in the house: snapshots by the open socket, polling when it is down.
import { Scene, ageOf } from "./scene.js";
import { clock, fill } from "./draw.js";

const setting = JSON.parse(document.getElementById("setting").textContent);
const POLL = 10000;
const EXPECTED = 30000; // data older than twice this is late
const POLL_ALONE = 2500; // when no event would be heard
const SILENT = 9500;
const stage = document.getElementById("stage");
const scene = new Scene(setting.scenes.find((one) => one.code === "overview"), { ...setting, ids: true, now: () => Date.now(), stream: null });
let last = null;
let pause = 500;
let socket = null;
let hears = true; // the server itself hears of events
let tries = 0;
let failed = false; // the last question was not answered

function show(snapshot) {
  if (last && snapshot.event < last.event) return;
  last = snapshot;
  scene.update({ blocks: { ...snapshot, latest: { rows: snapshot.latest, masked: false } }, generated_at: snapshot.generated_at });
  age();
}

const alone = () => (socket?.readyState !== WebSocket.OPEN && tries > 0) || !hears || failed;

function age() {
  const silent = performance.now() - scene.heard;
  const { words } = setting;
  let said = "";
  if (scene.heard && alone()) said = silent > SILENT ? fill(words.unreachable, clock(scene.generated)) : words.polling;
  const name = scene.heard ? ageOf(silent, EXPECTED) : "late";
  scene.state(name === "live" && said && silent > SILENT ? "late" : name, said);
  scene.tick(Date.now(), setting.english);
}

async function poll() {
  try {
    const answer = await fetch(document.body.dataset.poll, { cache: "no-store" });
    failed = !answer.ok;
    if (answer.ok) show(await answer.json());
  } catch { failed = true; }
  age();
}

function connect() {
  socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}${document.body.dataset.socket}`);
  socket.addEventListener("open", () => { [pause, tries, hears] = [500, 0, true]; age(); });
  socket.addEventListener("message", (event) => {
    const message = JSON.parse(event.data);
    if (message.kind === "hears") hears = message.hears; else show(message);
    age();
  });
  socket.addEventListener("close", () => {
    tries += 1;
    pause = Math.min(pause * 2, 30000);
    setTimeout(connect, pause / 2 + (Math.random() * pause) / 2);
  });
}

scene.mount(stage);
age();
setInterval(age, 1000);
setInterval(poll, POLL);
setInterval(() => { if (alone()) poll(); }, POLL_ALONE);
setInterval(() => scene.draw(), 12000);
addEventListener("resize", () => scene.resize());
poll();
connect();
