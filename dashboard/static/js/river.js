// The river page: marks of the line, rows of the list and dots of the map are one thing; keys move along the line.
const drawing = JSON.parse(document.getElementById("drawing").textContent);
const marks = [...document.querySelectorAll(".strip .spot")].sort((a, b) => a.getBoundingClientRect().left - b.getBoundingClientRect().left || a.getBoundingClientRect().top - b.getBoundingClientRect().top);
const keysOf = (mark) => mark.dataset.keys.trim().split(" ");
const dots = new Map();

function show(keys, on) {
  for (const key of keys) {
    document.getElementById(`row-${key}`)?.classList.toggle("now", on);
    dots.get(key)?.classList.toggle("now", on);
  }
  for (const mark of marks) if (keysOf(mark).some((key) => keys.includes(key))) mark.classList.toggle("now", on);
}

for (const mark of marks) {
  for (const [kind, on] of [["mouseenter", true], ["focus", true], ["mouseleave", false], ["blur", false]]) mark.addEventListener(kind, () => show(keysOf(mark), on));
}
for (const row of document.querySelectorAll("tr[data-key]")) {
  row.addEventListener("mouseenter", () => show([row.dataset.key], true));
  row.addEventListener("mouseleave", () => show([row.dataset.key], false));
}

const ZOOM = { Equal: "in", NumpadAdd: "in", Minus: "out", NumpadSubtract: "out", BracketLeft: "up", BracketRight: "down", Digit0: "whole" };
document.addEventListener("desk:key", (event) => {
  const { code } = event.detail;
  if (code === "KeyJ" || code === "KeyK") {
    if (!marks.length) return;
    const at = marks.indexOf(document.activeElement);
    const next = at < 0 ? (code === "KeyJ" ? 0 : marks.length - 1) : Math.max(0, Math.min(marks.length - 1, at + (code === "KeyJ" ? 1 : -1)));
    marks[next].focus();
    event.preventDefault();
  } else if (ZOOM[code]) {
    const link = document.querySelector(`[data-zoom=${ZOOM[code]}][href]`);
    if (link) { event.preventDefault(); link.click(); }
  }
});

const RATIO = 0.9; // cos of the latitude
const place = ([lon, lat]) => `${(lon * RATIO).toFixed(5)},${(-lat).toFixed(5)}`;

async function map() {
  const box = document.getElementById("river-map");
  const answer = await fetch(box.dataset.map);
  if (!answer.ok) return;
  const counties = await answer.json();
  const xs = drawing.line.map(([lon]) => lon * RATIO);
  const ys = drawing.line.map(([, lat]) => -lat);
  const room = Math.max(Math.max(...xs) - Math.min(...xs), Math.max(...ys) - Math.min(...ys)) * 0.14 + 0.02;
  const [west, east, north, south] = [Math.min(...xs) - room, Math.max(...xs) + room, Math.min(...ys) - room, Math.max(...ys) + room];
  const size = Math.max(east - west, south - north);
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const make = (tag, attributes) => { const made = svg.appendChild(document.createElementNS("http://www.w3.org/2000/svg", tag)); for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value); return made; };
  svg.setAttribute("viewBox", `${west} ${north} ${east - west} ${south - north}`);
  const english = document.documentElement.lang === "en";
  for (const county of counties.features) {
    const polygons = county.geometry.type === "MultiPolygon" ? county.geometry.coordinates : [county.geometry.coordinates];
    make("path", { class: "county", d: polygons.map((rings) => rings.map((ring) => `M${ring.map(place).join("L")}Z`).join("")).join("") });
  }
  for (const county of counties.features) {
    const [lon, lat] = county.properties.cp;
    make("text", { x: lon * RATIO, y: -lat, "font-size": size * 0.032 }).textContent = english ? county.properties.name_en : county.properties.name;
  }
  make("polyline", { class: "course", points: drawing.line.map(place).join(" ") });
  // Those that ask for attention are drawn last, on top.
  const order = ["none", "good", "plain", "soon", "urgent"];
  for (const item of [...drawing.items].sort((a, b) => order.indexOf(a.tone) - order.indexOf(b.tone))) {
    const dot = make("circle", { class: `t-${item.tone}`, cx: item.lon * RATIO, cy: -item.lat, r: size * (item.tone === "urgent" ? 0.014 : 0.009) });
    dot.appendChild(document.createElementNS("http://www.w3.org/2000/svg", "title")).textContent = item.name;
    dots.set(item.key, dot);
    dot.addEventListener("mouseenter", () => show([item.key], true));
    dot.addEventListener("mouseleave", () => show([item.key], false));
  }
  box.replaceChildren(svg);
}

map();
