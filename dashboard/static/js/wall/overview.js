// The overview for whoever is in the house: snapshots by the open socket, polling when it is down.
import { Scene, ageOf } from "./scene.js";

const setting = JSON.parse(document.getElementById("setting").textContent);
const POLL = 30000;
const stage = document.getElementById("stage");
const scene = new Scene(setting.scenes.find((one) => one.code === "overview"), { ...setting, ids: true, now: () => Date.now(), stream: null });
let last = null;
let pause = 500;

function show(snapshot) {
  if (last && snapshot.event < last.event) return;
  last = snapshot;
  scene.update({ blocks: { ...snapshot, latest: { rows: snapshot.latest, masked: false } }, generated_at: snapshot.generated_at });
  age();
}

function age() {
  scene.state(scene.heard ? ageOf(performance.now() - scene.heard, POLL) : "late");
  scene.tick(Date.now(), setting.english);
}

async function poll() {
  try {
    const answer = await fetch(document.body.dataset.poll, { cache: "no-store" });
    if (answer.ok) show(await answer.json());
  } catch { /* the chip says so */ }
}

function connect() {
  const socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}${document.body.dataset.socket}`);
  socket.addEventListener("open", () => { pause = 500; });
  socket.addEventListener("message", (event) => show(JSON.parse(event.data)));
  socket.addEventListener("close", () => {
    pause = Math.min(pause * 2, 30000);
    setTimeout(connect, pause / 2 + (Math.random() * pause) / 2);
  });
}

scene.mount(stage);
age();
setInterval(age, 1000);
setInterval(poll, POLL);
setInterval(() => scene.draw(), 12000);
addEventListener("resize", () => scene.resize());
poll();
connect();
