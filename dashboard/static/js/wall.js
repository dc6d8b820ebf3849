// One screen: a snapshot on connect and after every event; polling when the socket is down; never a blank panel.
const words = JSON.parse(document.getElementById("words").textContent);
const english = document.documentElement.lang === "en";
const chip = document.getElementById("chip");
const POLL = 30000;
let last = null;
let heard = 0;
let pause = 500;
let socket = null;
const shapes = new Map();
// Where a label would collide with its neighbour or leave its county, in degrees east and south.
const nudge = { 532301: [-0.12, 0.1], 532324: [-0.16, -0.02], 532323: [0.1, 0], 532329: [-0.12, 0.08], 532325: [-0.02, -0.02], 532322: [0.02, 0.02] };

const text = (tag, value, name) => {
  const element = document.createElement(tag);
  if (name) element.className = name;
  element.textContent = value;
  return element;
};
const pick = (row, name) => (english ? row[`${name}_en`] || row[name] : row[name]);
const short = (iso) => (iso ? new Date(iso).toLocaleTimeString("zh-CN", { hour12: false, timeZone: "Asia/Shanghai" }) : "—");

function figures(funnel) {
  for (const box of document.querySelectorAll("[data-figure]")) {
    const value = funnel[box.dataset.figure].toLocaleString("en-US");
    if (box.textContent === value) continue;
    if (last) { box.classList.remove("pulse"); void box.offsetWidth; box.classList.add("pulse"); }
    box.textContent = value;
  }
}

function counties(rows) {
  document.getElementById("counties").replaceChildren(...rows.map((row) => {
    const line = document.createElement("tr");
    line.append(text("td", pick(row, "name")), text("td", row.found), text("td", row.checked), text("td", row.confirmed), text("td", row.corrected + row.improved));
    return line;
  }));
  for (const row of rows) {
    const shape = shapes.get(row.code);
    if (!shape) continue;
    shape.path.toggleAttribute("data-some", row.found > 0);
    shape.count.textContent = `${row.found} / ${row.confirmed}`;
    shape.name.textContent = pick(row, "name");
  }
}

function latest(rows) {
  const box = document.getElementById("latest");
  if (!rows.length) { box.replaceChildren(text("p", words.none, "empty")); return; }
  box.replaceChildren(...rows.map((row) => {
    const line = text("div", "", "line");
    line.append(text("span", words.levels[row.level], `level ${row.level}`), text("span", pick(row, "rule")), text("span", row.township || pick(row, "county")), text("span", words.states[row.stage], "end"));
    return line;
  }));
}

function feeds(rows) {
  const alive = rows.filter((r) => r.state === "ok").length;
  document.getElementById("alive").textContent = `${alive} / ${rows.length} ${words.feed.ok}`;
  document.getElementById("feeds").replaceChildren(...rows.map((row) => {
    const line = text("div", "", "feed");
    line.append(text("span", pick(row, "title")), text("span", row.covers_until || "—", "end"), text("span", words.feed[row.state], `end ${row.state}`));
    return line;
  }));
}

function show(snapshot) {
  heard = performance.now();
  if (last && snapshot.event < last.event) return;
  for (const [draw, part] of [[figures, snapshot.funnel], [counties, snapshot.counties], [latest, snapshot.latest], [feeds, snapshot.feeds]]) {
    try { draw(part); } catch (error) { console.error(error); }
  }
  document.getElementById("asof").textContent = short(snapshot.generated_at);
  last = snapshot;
  age();
}

function age() {
  const silent = heard ? performance.now() - heard : 0;
  const state = !heard || silent > 5 * POLL ? "off" : silent > 2 * POLL ? "late" : "live";
  chip.dataset.state = heard ? state : "late";
  chip.textContent = heard ? words.chip[state] : words.chip.late;
  document.body.classList.toggle("stale", state === "off" && heard > 0);
}

async function poll() {
  try {
    const answer = await fetch(document.body.dataset.poll, { cache: "no-store" });
    if (answer.ok) show(await answer.json());
  } catch { /* the chip says so */ }
}

function connect() {
  socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}${document.body.dataset.socket}`);
  socket.addEventListener("open", () => { pause = 500; });
  socket.addEventListener("message", (event) => show(JSON.parse(event.data)));
  socket.addEventListener("close", () => {
    pause = Math.min(pause * 2, 30000);
    setTimeout(connect, pause / 2 + (Math.random() * pause) / 2);
  });
}

async function map() {
  const answer = await fetch(document.body.dataset.map);
  const shape = await answer.json();
  const ratio = 0.9; // cos of the latitude
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const make = (tag, parent) => parent.appendChild(document.createElementNS("http://www.w3.org/2000/svg", tag));
  let [west, north, east, south] = [Infinity, Infinity, -Infinity, -Infinity];
  const labels = [];
  for (const feature of shape.features) {
    const polygons = feature.geometry.type === "MultiPolygon" ? feature.geometry.coordinates : [feature.geometry.coordinates];
    const place = ([lon, lat]) => { const x = lon * ratio; const y = -lat; west = Math.min(west, x); east = Math.max(east, x); north = Math.min(north, y); south = Math.max(south, y); return `${x.toFixed(4)},${y.toFixed(4)}`; };
    const path = make("path", svg);
    path.setAttribute("d", polygons.map((rings) => rings.map((ring) => `M${ring.map(place).join("L")}Z`).join("")).join(""));
    const [lon, lat] = feature.properties.label || feature.properties.cp || feature.properties.center;
    const code = String(feature.properties.adcode);
    const [east_, south_] = nudge[code] || [0, 0];
    labels.push([code, path, lon * ratio + east_, -lat + south_]);
  }
  for (const [code, path, x, y] of labels) {
    const name = make("text", svg); name.setAttribute("x", x); name.setAttribute("y", y); name.setAttribute("font-size", "0.07");
    const count = make("text", svg); count.setAttribute("x", x); count.setAttribute("y", y + 0.085); count.setAttribute("font-size", "0.08"); count.setAttribute("class", "n");
    shapes.set(code, { path, name, count });
  }
  svg.setAttribute("viewBox", `${west - 0.03} ${north - 0.03} ${east - west + 0.06} ${south - north + 0.06}`);
  svg.setAttribute("preserveAspectRatio", "xMidYMid meet");
  document.getElementById("map").replaceChildren(svg);
  if (last) counties(last.counties);
}

setInterval(() => {
  document.getElementById("clock").textContent = new Date().toLocaleString(english ? "en-GB" : "zh-CN", { timeZone: "Asia/Shanghai", dateStyle: "full", timeStyle: "medium" });
  age();
}, 1000);
setInterval(poll, POLL);
map();
poll();
connect();
