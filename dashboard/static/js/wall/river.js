// The river drawn straight over the full width, its sections, and the place that the cursor passes.
import { SHAPES, dayAndTime, el, fill, fits, mark, number, pageOf, sheet, svg, widthOf, within, words as write } from "./draw.js";
import { Tile } from "./tiles.js";

/** Seconds that the cursor takes from the source to the mouth. */
const TRAVEL = 90;
const ATTENTION = ["urgent", "soon", "plain", "good", "none"];

/** Where the cursor is, by the server's clock: every screen shows the same kilometre. */
export function cursorAt(river, now) {
  const part = (now / 1000 / TRAVEL) % 1;
  return river.from_km + part * (river.to_km - river.from_km);
}

const toneOf = (place) => (place.kind === "tributary" ? "plain" : place.state || "none");

/** Marks nearer than ``apart`` pixels become one with a count; the one that asks most for attention gives its tone. */
function gathered(items, x, apart) {
  const marks = [];
  for (const item of items) {
    const at = x(item.km);
    const last = marks[marks.length - 1];
    if (last && at - last.x < apart) {
      last.items.push(item);
      if (ATTENTION.indexOf(item.tone) < ATTENTION.indexOf(last.tone)) last.tone = item.tone;
    } else marks.push({ x: at, items: [item], tone: item.tone });
  }
  return marks;
}

export function river(box, context) {
  const { words, pick, note, english } = context;
  let frame = null;
  let last = null;
  const stop = () => { cancelAnimationFrame(frame); clearInterval(frame); };
  const draw = ({ river: found, cameras }) => {
    last = found;
    stop();
    if (!found.river) { box.replaceChildren(el("p", "w-empty", words.river.empty)); return; }
    const page = sheet(box);
    if (!page) return;
    const { paper, width, height, unit } = page;
    const type = 1.25 * unit;
    const line = found.river;
    note(`${pick(line, "name")}　${number(line.to_km - line.from_km)} km`);
    const [left, right] = [1.2 * unit, width - 1.2 * unit];
    const x = (km) => left + ((right - left) * (km - line.from_km)) / (line.to_km - line.from_km);
    // Lanes from the top: two rows of names, sections, the water, outfalls, problems and cameras, kilometres, counties.
    const base = Math.max(8.2 * unit, height * 0.43);
    const wave = (px) => base + Math.sin(px / (9 * unit)) * 0.45 * unit;
    const path = (down) => { let d = ""; for (let px = left; px <= right; px += 6) d += `${d ? "L" : "M"}${px.toFixed(1)} ${(wave(px) + down).toFixed(1)}`; return d; };
    paper.append(svg("path", { d: path(0), class: "w-bank" }), svg("path", { d: path(0), class: "w-water" }), svg("path", { d: path(0), class: "w-flowline" }));

    // Kilometre marks and the counties that answer.
    const foot = height - 3.6 * unit;
    const step = [1, 2, 5, 10, 20, 50, 100].find((n) => (line.to_km - line.from_km) / n <= Math.max(4, (right - left) / (6 * unit))) || 100;
    paper.append(svg("line", { x1: left, x2: right, y1: foot, y2: foot, class: "w-rule" }));
    for (let km = Math.ceil(line.from_km / step) * step; km <= line.to_km; km += step) {
      paper.append(svg("line", { x1: x(km), x2: x(km), y1: foot, y2: foot + 0.4 * unit, class: "w-rule" }));
      const anchor = km === line.from_km ? "start" : km + step > line.to_km ? "end" : "middle";
      write(paper, Math.min(x(km), right), foot + 0.5 * unit + type, km === line.from_km ? `${km} km` : `${km}`, type, "w-tick", anchor);
    }
    line.stretches.forEach((stretch, n) => {
      const [from, to] = [x(stretch.from_km), x(stretch.to_km)];
      paper.append(svg("rect", { x: from, y: height - 1.7 * unit, width: Math.max(0, to - from - 2), height: 1.6 * unit, class: `w-stretch${n % 2 ? " odd" : ""}` }));
      const name = within(pick(stretch, "name"), type, to - from - unit);
      if (name.length > 1) write(paper, (from + to) / 2, height - 0.45 * unit, name, type, "w-tick", "middle");
    });

    // Sections, stations and mouths above the water, with names where they have room.
    const above = found.places.filter((place) => place.kind !== "outfall").map((place) => ({ ...place, tone: toneOf(place) }));
    const free = [left - 1e6, left - 1e6, left - 1e6];
    for (const place of above) {
      const at = x(place.km);
      const lines = [pick(place, "name"), place.kind === "tributary" ? words.kinds.tributary : place.target ? `${fill(words.river.target, place.target)}` : words.kinds[place.kind]];
      const half = Math.max(...lines.map((value) => widthOf(value, type))) / 2 + 0.4 * unit;
      const middle = Math.min(Math.max(at, left + half), right - half);
      const row = free.findIndex((edge) => middle - half > edge);
      const size = (place.kind === "tributary" ? 0.5 : 0.72) * unit;
      const markY = wave(at) - 1.6 * unit;
      if (row >= 0 && base - 3 * unit - (row + 1) * 2.9 * unit > -unit) {
        free[row] = middle + half;
        const y = base - 2.9 * unit - row * 2.9 * unit;
        paper.append(svg("line", { x1: at, x2: middle, y1: markY - size, y2: y + 0.35 * unit, class: "w-lead" }));
        write(paper, middle, y - type * 1.15, lines[0], type, place.tone === "urgent" ? "w-word t-urgent" : "w-word", "middle");
        write(paper, middle, y, lines[1], type, "w-tick", "middle");
      }
      mark(paper, place.kind === "tributary" ? "plain" : place.tone, at, markY, size);
    }

    // Outfalls below it: place and state, no name.
    const lane = (n) => base + (2 + n * 2.35) * unit;
    const room = Math.floor((foot - lane(0)) / (2.35 * unit));
    const lanes = [
      ["outfall", found.places.filter((place) => place.kind === "outfall").map((place) => ({ ...place, tone: toneOf(place) }))],
      ["problem", found.problems.map((problem) => ({ ...problem, tone: problem.open ? "soon" : "good" })).sort((a, b) => a.km - b.km)],
      ["camera", (cameras?.cameras || []).filter((camera) => camera.river === line.code).map((camera) => ({ ...camera, tone: camera.playing ? "plain" : "none" }))],
    ];
    lanes.slice(0, Math.max(1, room)).forEach(([kind, items], n) => {
      const y = lane(n);
      for (const spot of gathered(items, x, 1.7 * unit)) {
        if (kind === "outfall") {
          const size = 0.62 * unit;
          paper.append(svg("path", { d: "M-1-.8H1L0 1Z", transform: `translate(${spot.x.toFixed(1)} ${y.toFixed(1)}) scale(${size.toFixed(1)})`, class: `w-mark t-${spot.tone}${spot.tone === "none" ? " open" : ""}` }));
        } else if (kind === "problem") {
          const open = spot.items.some((item) => item.open);
          write(paper, spot.x, y + type * 0.35, open ? "✕" : "✓", type, open ? "w-strong t-soon" : "w-strong t-good", "middle");
        } else {
          paper.append(svg("path", { d: "M-1-.6H.5V.6H-1ZM.5-.1L1-.5V.5L.5.1Z", transform: `translate(${spot.x.toFixed(1)} ${y.toFixed(1)}) scale(${(0.72 * unit).toFixed(1)})`, class: `w-mark t-${spot.tone}` }));
        }
        if (spot.items.length > 1) write(paper, spot.x + 0.75 * unit, y + type * 0.36, spot.items.length, type * 0.92, "w-tick");
      }
    });

    // The cursor.
    const cursor = svg("g", { class: "w-cursor" }, svg("line", { x1: 0, x2: 0, y1: 2.3 * unit, y2: foot }));
    const flag = write(cursor, 0, foot - 0.5 * unit, "", type, "w-strong");
    paper.append(cursor);
    const move = () => {
      const km = cursorAt(line, context.now());
      const at = x(km);
      const say = `${km.toFixed(0)} km`;
      if (flag.textContent !== say) flag.textContent = say;
      const near = at + widthOf(say, type) + unit > right;
      flag.setAttribute("x", near ? (-0.5 * unit).toFixed(1) : (0.5 * unit).toFixed(1));
      flag.setAttribute("text-anchor", near ? "end" : "start");
      cursor.setAttribute("transform", `translate(${at.toFixed(1)} 0)`);
    };
    const run = () => { move(); frame = requestAnimationFrame(run); };
    if (context.still) { move(); frame = setInterval(move, 2000); } else run();
    legend(box, words, lanes, english);
  };
  return Object.assign(draw, { dispose: stop, get last() { return last; } });
}

function legend(box, words, lanes) {
  const said = el("div", "w-legend",
    el("span", "t-urgent", `▲ ${words.river.over}`), el("span", "t-soon", `◆ ${words.river.was}`), el("span", "t-good", `● ${words.river.within}`),
    el("span", "", `▼ ${words.kinds.outfall} ${lanes[0][1].length}`), el("span", "", `✕ ${words.kinds.problem} ${lanes[1][1].filter((p) => p.open).length}`),
    el("span", "", `▣ ${words.kinds.camera} ${lanes[2][1].length}`), el("span", "w-faint", words.schematic));
  box.append(said);
}

export function riverCounts(box, { words, pick }) {
  box.classList.add("w-figures");
  return ({ river: found }) => {
    if (!found.river) { box.replaceChildren(); return; }
    const of = (kind) => found.places.filter((place) => place.kind === kind);
    const figure = (label, value, unit, tone = "") => el("div", `w-figure${tone ? ` k-${tone}` : ""}`, el("span", "", label), el("b", "", number(value), el("small", "", unit)));
    const measured = of("section").concat(of("station"));
    box.replaceChildren(
      figure(`${pick(found.river, "name")} ${words.river.length}`, Math.round(found.river.to_km - found.river.from_km), words.river.km),
      figure(`${words.kinds.section}、${words.kinds.station}`, measured.length, words.river.count),
      figure(words.river.over, of("section").filter((place) => place.state === "urgent").length, words.river.count, "soon"),
      figure(words.kinds.outfall, of("outfall").length, words.river.count),
      figure(`${words.river.outfallsAbove} · ${fill(words.river.days, found.days)}`, of("outfall").filter((place) => place.above).length, words.river.count, "soon"),
      figure(`${words.kinds.problem} · ${words.river.open}`, found.problems.filter((problem) => problem.open).length, words.river.count));
  };
}

const STATE = { urgent: "over", soon: "was", good: "within", none: "silent" };

/** The figure nearest to (or farthest above) its limit. */
function worst(place) {
  const against = (place.figures || []).filter((figure) => figure.limit !== null);
  return against.sort((a, b) => b.value / b.limit - a.value / a.limit)[0];
}

export function sections(box, { words, pick, note, stamp }) {
  return ({ river: found }) => {
    const rows = (found.places || []).filter((place) => place.kind === "section");
    if (!rows.length) { box.replaceChildren(el("p", "w-empty", found.stopped.length ? words.river.stopped : words.water.none)); return; }
    const shown = pageOf(rows, fits(box, 4.3), 12);
    note(shown.pages > 1 ? `${shown.page} / ${shown.pages}` : "");
    const newest = rows.map((row) => row.at).filter(Boolean).sort().pop();
    if (newest) stamp(dayAndTime(newest));
    box.replaceChildren(...shown.rows.map((place) => {
      const figure = worst(place);
      const said = figure ? `${pick(figure, "name")} ${figure.value} / ${figure.limit} ${figure.unit}` : words.river.silent;
      return el("div", "w-line",
        el("div", "w-what", el("span", `w-level t-${place.state}`, `${SHAPES[place.state]} ${words.river[STATE[place.state]]}`), el("span", "", pick(place, "name"))),
        el("div", "w-where", el("span", "", said), el("time", "", `${place.km.toFixed(0)} km`)));
    }));
  };
}

/** What the cursor passes: place on the line, the next section and outfall, the nearest camera with its picture. */
export function riverHere(box, context) {
  const { words, pick } = context;
  box.classList.add("w-here");
  const text = el("div", "w-here-text");
  const view = el("div", "w-here-view");
  box.replaceChildren(text, view);
  let found = null;
  let cameras = [];
  let tile = null;
  let shown = null;
  const look = () => {
    if (!found?.river) return;
    const km = cursorAt(found.river, context.now());
    const stretch = [...found.river.stretches].reverse().find((s) => s.from_km <= km) || found.river.stretches[0];
    const ahead = (kind) => found.places.find((place) => kind.includes(place.kind) && place.km >= km);
    const section = ahead(["section", "station"]);
    const outfall = ahead(["outfall"]);
    const line = (label, value, tone = "") => el("div", "w-pair", el("span", "", label), el("b", tone ? `t-${tone}` : "", value));
    const parts = [el("div", "w-km", el("b", "", km.toFixed(0)), el("span", "", "km"), el("i", "", stretch ? pick(stretch, "name") : ""))];
    if (section) parts.push(line(`${words.kinds[section.kind]} ${section.km.toFixed(0)} km`, `${SHAPES[section.state] || "○"} ${pick(section, "name")}`, section.state));
    if (outfall) parts.push(line(`${words.kinds.outfall} ${outfall.km.toFixed(0)} km`, outfall.above ? `◆ ${fill(words.river.above, outfall.above)}` : outfall.state === "good" ? `● ${words.river.clean}` : `○ ${words.river.silent}`, outfall.above ? "soon" : outfall.state));
    const near = cameras.filter((camera) => camera.river === found.river.code && camera.playing).sort((a, b) => Math.abs(a.km - km) - Math.abs(b.km - km))[0];
    if (near) parts.push(line(words.river.nearest, fill(words.river.away, Math.abs(near.km - km).toFixed(0))));
    text.replaceChildren(...parts);
    if ((near?.id ?? null) !== shown) {
      shown = near?.id ?? null;
      tile?.stop();
      tile = null;
      if (near) { tile = new Tile(near, context); view.replaceChildren(tile.box); tile.start(); } else view.replaceChildren(el("p", "w-empty", words.river.noCamera));
    }
  };
  const timer = setInterval(look, 1000);
  const draw = (blocks) => { found = blocks.river; cameras = blocks.cameras?.cameras || []; look(); };
  return Object.assign(draw, { dispose() { clearInterval(timer); tile?.stop(); }, problems: () => (tile && tile.state === "dead" ? [`camera ${tile.camera.id}`] : []) });
}

const DASH = ["", "7 4", "2 4", "10 3 2 3"];

/** One small chart a section: figures as multiples of the limit of its target class, so that one axis holds them all. */
export function series(box, context) {
  const { words, pick, note, stamp } = context;
  return ({ water: found }) => {
    box.classList.add("w-charts");
    const rows = found.sections.filter((section) => section.courses.length);
    if (!rows.length) { box.classList.remove("w-charts"); box.replaceChildren(el("p", "w-empty", found.stopped.length ? words.river.stopped : words.water.none)); return; }
    const unit = parseFloat(getComputedStyle(document.documentElement).fontSize);
    const most = Math.max(1, Math.floor(box.clientWidth / (26 * unit)));
    const lines = Math.max(1, Math.floor(box.clientHeight / (14 * unit)));
    // As few columns as the lines allow, so that no corner stays empty.
    const columns = Math.min(most, Math.max(1, Math.ceil(rows.length / lines)));
    const shown = pageOf(rows, columns * lines, 20);
    note(shown.pages > 1 ? `${shown.page} / ${shown.pages}` : "");
    const newest = Math.max(...rows.flatMap((section) => section.courses.flatMap((c) => c.points.slice(-1).map((p) => p[0]))));
    stamp(dayAndTime(new Date(newest * 1000).toISOString()));
    const used = Math.min(lines, Math.ceil(shown.rows.length / columns));
    box.style.gridTemplateColumns = `repeat(${Math.min(columns, shown.rows.length)}, minmax(0, 1fr))`;
    box.style.gridTemplateRows = `repeat(${used}, minmax(0, 1fr))`;
    const cells = shown.rows.map((section) => {
      const body = el("div", "w-chart-body");
      const head = el("div", "w-chart-head", el("b", `t-${section.state}`, SHAPES[section.state]), el("span", "", pick(section, "name")), el("i", "", fill(words.river.target, section.target)));
      return { section, body, cell: el("div", "w-chart", head, body) };
    });
    box.replaceChildren(...cells.map((one) => one.cell));
    for (const { section, body } of cells) course(body, section, found, words, pick);
  };
}

function course(box, section, found, words, pick) {
  const page = sheet(box);
  if (!page) return;
  const { paper, width, height, unit } = page;
  const type = 1.25 * unit;
  const first = Math.min(...section.courses.flatMap((c) => c.points.map((p) => p[0])));
  const [from, to] = [Math.max(Date.parse(found.since) / 1000, first - 3600), Date.parse(found.until) / 1000];
  const courses = [...section.courses].sort((a, b) => Math.max(...b.points.map((p) => p[1])) / b.limit - Math.max(...a.points.map((p) => p[1])) / a.limit).slice(0, 3);
  const most = Math.max(1.3, ...courses.flatMap((c) => c.points.map((p) => p[1] / c.limit))) * 1.08;
  const legendHeight = courses.length * 1.65 * unit + 0.3 * unit;
  const [left, top, right, bottom] = [0.4 * unit, legendHeight, width - 3.4 * unit, height - 1.9 * unit];
  const x = (at) => left + ((right - left) * (at - from)) / (to - from);
  const y = (value) => top + (bottom - top) * (1 - value / most);
  paper.append(svg("line", { x1: left, x2: right, y1: bottom, y2: bottom, class: "w-rule" }));
  paper.append(svg("line", { x1: left, x2: right, y1: y(1), y2: y(1), class: "w-limit" }));
  write(paper, right + 0.4 * unit, y(1) + type * 0.35, words.water.limit, type, "w-limit-word");
  courses.forEach((one, n) => {
    const d = one.points.map(([at, value], k) => `${k ? "L" : "M"}${x(at).toFixed(1)} ${y(value / one.limit).toFixed(1)}`).join("");
    paper.append(svg("path", { d, class: `w-course c-${n}`, "stroke-dasharray": DASH[n] }));
    for (const [at, value] of one.points) if (value > one.limit) mark(paper, "urgent", x(at), y(value / one.limit), 0.4 * unit);
    const latest = one.points[one.points.length - 1];
    const line = (n + 0.8) * 1.65 * unit;
    paper.append(svg("line", { x1: left, x2: left + 2.2 * unit, y1: line - type * 0.35, y2: line - type * 0.35, class: `w-course c-${n}`, "stroke-dasharray": DASH[n] }));
    const value = `${latest[1]} / ${one.limit} ${one.unit}`;
    write(paper, left + 2.8 * unit, line, within(pick(one, "name"), type, width - 3.2 * unit - widthOf(value, type) - unit), type, "w-word");
    write(paper, width - 0.3 * unit, line, value, type, latest[1] > one.limit ? "w-strong t-urgent" : "w-tick", "end");
  });
  const day = (at) => new Date(at * 1000).toLocaleDateString("sv-SE", { timeZone: "Asia/Shanghai" }).slice(5);
  write(paper, left, height - 0.4 * unit, day(from), type, "w-tick");
  write(paper, right, height - 0.4 * unit, day(to), type, "w-tick", "end");
}
