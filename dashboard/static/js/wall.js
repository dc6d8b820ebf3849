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
const moment = (iso) => {
  const at = new Date(iso);
  const day = (d) => d.toLocaleDateString("sv-SE", { timeZone: "Asia/Shanghai" });
  return day(at) === day(new Date()) ? at.toLocaleTimeString("zh-CN", { hour: "2-digit", minute: "2-digit", hour12: false, timeZone: "Asia/Shanghai" }) : day(at).slice(5);
};
const short = (iso) => (iso ? new Date(iso).toLocaleTimeString("zh-CN", { hour12: false, timeZone: "Asia/Shanghai" }) : "—");

function figures(funnel) {
  for (const box of document.querySelectorAll("[data-figure]")) {
    const value = funnel[box.dataset.figure].toLocaleString("en-US");
    if (box.textContent === value) continue;
    if (last) { box.classList.remove("pulse"); void box.offsetWidth; box.classList.add("pulse"); }
    box.textContent = value;
  }
}

const COLUMNS = ["found", "checked", "confirmed", "corrected", "improved"];

function counties(rows, funnel) {
  const own = { name: words.own };
  for (const key of COLUMNS) own[key] = funnel[key] - rows.reduce((sum, row) => sum + row[key], 0);
  const all = { ...funnel, name: words.all, last: true };
  document.getElementById("counties").replaceChildren(...[...rows, own, all].map((row) => {
    const line = document.createElement("tr");
    if (row.last) line.className = "sum";
    line.append(text("td", pick(row, "name")), ...COLUMNS.map((key) => text("td", row[key].toLocaleString("en-US"), row[key] ? "" : "zero")));
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

function stages(counts) {
  for (const box of document.querySelectorAll("[data-stage]")) box.textContent = (counts[box.dataset.stage] || 0).toLocaleString("en-US");
}

/** How many rows of this height fit whole; what does not fit is paged, never cut. */
const fits = (box, units) => Math.max(1, Math.floor(box.clientHeight / (units * innerHeight / 1080 * 16)));

function latest(rows) {
  const box = document.getElementById("latest");
  if (!rows.length) { box.replaceChildren(text("p", words.none, "empty")); return; }
  box.replaceChildren(...rows.slice(0, fits(box, 4.3)).map((row) => {
    const line = text("div", "", "line");
    const what = text("div", "", "what");
    what.append(text("span", words.levels[row.level], `level ${row.level}`), text("span", pick(row, "rule")));
    const where = text("div", "", "where");
    const county = pick(row, "county");
    where.append(text("span", row.township ? `${county}・${row.township}` : county), text("b", words.states[row.stage]), text("time", moment(row.at)));
    line.append(what, where);
    return line;
  }));
}

const ALARM_STYLE = { urgent: "urgent", warning: "important", notice: "ordinary" };

function alarms(found) {
  document.getElementById("alarm-count").textContent = words.unreviewed.replace("#", found.unreviewed);
  const box = document.getElementById("alarms");
  if (!found.latest.length) { box.replaceChildren(text("p", words.noAlarm, "empty")); return; }
  box.replaceChildren(...found.latest.slice(0, fits(box, 4.3)).map((row) => {
    const line = text("div", "", "line");
    const what = text("div", "", "what");
    what.append(text("span", words.alarms[row.level], `level ${ALARM_STYLE[row.level]}`), text("span", pick(row, "title")));
    const where = text("div", "", "where");
    where.append(text("span", `${pick(row, "place")}・${pick(row, "factor")}`), text("i", words.times.replace("#", row.multiple.toFixed(1))), text("b", words.alarmStates[row.state]), text("time", moment(row.at)));
    line.append(what, where);
    return line;
  }));
}

const WORST = ["silent", "late", "never", "ok"];
let turn = 0;

function feeds(rows) {
  const box = document.getElementById("feeds");
  // The worst first; within a state the feeds of one agency stand together.
  const sorted = [...rows].sort((a, b) => WORST.indexOf(a.state) - WORST.indexOf(b.state) || a.agency.localeCompare(b.agency, "zh"));
  document.getElementById("tally").replaceChildren(...[...WORST].reverse().map((state) => [state, rows.filter((r) => r.state === state).length])
    .filter(([, count]) => count).map(([state, count]) => text("span", count, state)));
  const room = fits(box, english ? 3.4 : 2.5);
  const pages = Math.ceil(sorted.length / room);
  const page = turn % Math.max(1, pages);
  document.getElementById("feed-page").textContent = pages > 1 ? `${page + 1} / ${pages}` : "";
  box.replaceChildren(...sorted.slice(page * room, (page + 1) * room).map((row) => {
    const line = text("div", "", "feed");
    const until = row.covers_until || row.landed_at;
    const days = until ? Math.max(0, Math.floor((Date.now() - new Date(`${until.slice(0, 10)}T00:00:00+08:00`)) / 86400000)) : null;
    line.append(text("span", pick(row, "title").replace(/（[^）]*）/g, "").replace(/ ?\([^)]*\)/g, "").trim()), text("span", days === null ? "—" : days === 0 ? words.today : words.days.replace("#", days), "age"), text("span", words.feed[row.state], row.state));
    return line;
  }));
}

function show(snapshot) {
  heard = performance.now();
  if (last && snapshot.event < last.event) return;
  draw(snapshot);
  for (const stamp of document.querySelectorAll(".asof")) stamp.textContent = short(snapshot.generated_at);
  last = snapshot;
  age();
}

/** Each panel stands for itself: one that fails keeps its last picture. */
function draw(snapshot) {
  const { funnel } = snapshot;
  for (const panel of [() => figures(funnel), () => counties(snapshot.counties, funnel), () => stages(snapshot.stages), () => alarms(snapshot.alarms), () => latest(snapshot.latest), () => feeds(snapshot.feeds)]) {
    try { panel(); } catch (error) { console.error(error); }
  }
}

function age() {
  const silent = heard ? performance.now() - heard : 0;
  const state = !heard || silent > 5 * POLL ? "off" : silent > 2 * POLL ? "late" : "live";
  chip.dataset.state = heard ? state : "late";
  chip.textContent = heard ? words.chip[state] : words.chip.late;
  document.body.classList.toggle("late", state === "late" && heard > 0);
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
    const name = make("text", svg); name.setAttribute("x", x); name.setAttribute("y", y); name.setAttribute("font-size", "0.078");
    const count = make("text", svg); count.setAttribute("x", x); count.setAttribute("y", y + 0.09); count.setAttribute("font-size", "0.084"); count.setAttribute("class", "n");
    shapes.set(code, { path, name, count });
  }
  svg.setAttribute("viewBox", `${west - 0.03} ${north - 0.03} ${east - west + 0.06} ${south - north + 0.06}`);
  svg.setAttribute("preserveAspectRatio", "xMidYMid meet");
  document.getElementById("map").replaceChildren(svg);
  if (last) counties(last.counties, last.funnel);
}

function tick() {
  document.getElementById("clock").textContent = new Date().toLocaleString(english ? "en-GB" : "zh-CN", { timeZone: "Asia/Shanghai", year: "numeric", month: "long", day: "numeric", weekday: "long", hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });
  age();
}

tick();
setInterval(tick, 1000);
setInterval(poll, POLL);
setInterval(() => { turn += 1; if (last) feeds(last.feeds); }, 12000);
setInterval(() => { document.body.dataset.drift = (Number(document.body.dataset.drift || 0) + 1) % 4; }, 600000);
addEventListener("resize", () => { if (last) draw(last); });
map();
poll();
connect();
