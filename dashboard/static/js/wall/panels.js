// Panels of clues, alarms and sources. Each returns a function that draws it from the blocks of data.
import { SHAPES, TONES, daysSince, el, fill, fits, moment, number, pageOf, svg } from "./draw.js";
import { domains, exceedanceDays, exceedanceFactors, flow, flowDays, flowLevels, landings, origins } from "./charts.js";
import { river, riverCounts, riverHere, sections, series } from "./river.js";
import { pairs, recoveryCounties, recoveryMonths, recoverySeized, recoverySum, results, wageCounties, wageIndustries, wageMonths, wageSites, wageSum } from "./themes.js";
import { tiles } from "./tiles.js";

const tag = (level, word) => el("span", `w-level t-${TONES[level]}`, `${SHAPES[level]} ${word}`);

function empty(box, value) {
  box.replaceChildren(el("p", "w-empty", value));
}

function funnel(box, { words }) {
  const figures = words.figures.map(([key, label]) => {
    const value = el("b", "", "—");
    value.dataset.figure = key;
    const made = el("div", `w-figure k-${key}`, el("span", "", label), value);
    if (key === "confirmed") made.append(el("i", "", "="));
    if (key === "corrected" || key === "improved") made.append(el("i", "", "+"));
    return { key, value, made };
  });
  box.classList.add("w-figures");
  box.replaceChildren(...figures.map((figure) => figure.made));
  let drawn = false;
  return ({ funnel: counts }) => {
    for (const { key, value } of figures) {
      const now = number(counts[key]);
      if (value.textContent === now) continue;
      if (drawn) { value.classList.remove("w-pulse"); void value.offsetWidth; value.classList.add("w-pulse"); }
      value.textContent = now;
    }
    drawn = true;
  };
}

const COLUMNS = ["found", "checked", "confirmed", "corrected", "improved"];

function counties(box, { words, pick }) {
  return ({ counties: rows, funnel: counts }) => {
    const own = { name: words.own };
    for (const key of COLUMNS) own[key] = counts[key] - rows.reduce((sum, row) => sum + row[key], 0);
    const all = { ...counts, name: words.all, last: true };
    const head = el("tr", "", ...words.columns.map((word) => el("th", "", word)));
    const body = [...rows, own, all].map((row) => {
      const line = el("tr", row.last ? "w-sum" : "", el("td", "", pick(row, "name")));
      line.append(...COLUMNS.map((key) => el("td", row[key] ? "" : "w-zero", number(row[key]))));
      return line;
    });
    box.replaceChildren(el("table", "w-table", el("thead", "", head), el("tbody", "", ...body)));
  };
}

// Where a label would collide with its neighbour or leave its county, in degrees east and south.
const nudge = { 532301: [-0.12, 0.1], 532324: [-0.16, -0.02], 532323: [0.1, 0], 532329: [-0.12, 0.08], 532325: [-0.02, -0.02], 532322: [0.02, 0.02] };
let shape = null;

export async function loadMap(address) {
  shape ??= fetch(address).then((answer) => answer.json()).catch(() => { shape = null; return null; });
  return shape;
}

function map(box, { words, pick, map: address }) {
  const parts = new Map();
  let last = null;
  box.classList.add("w-map");
  const draw = ({ counties: rows }) => {
    last = { counties: rows };
    for (const row of rows) {
      const part = parts.get(row.code);
      if (!part) continue;
      part.path.toggleAttribute("data-some", row.found > 0);
      part.count.textContent = `${row.found} / ${row.confirmed}`;
      part.name.textContent = pick(row, "name");
    }
  };
  const ready = loadMap(address).then((found) => {
    if (!found) return;
    const ratio = 0.9; // cos of the latitude
    let [west, north, east, south] = [Infinity, Infinity, -Infinity, -Infinity];
    const place = ([lon, lat]) => { const x = lon * ratio; const y = -lat; west = Math.min(west, x); east = Math.max(east, x); north = Math.min(north, y); south = Math.max(south, y); return `${x.toFixed(4)},${y.toFixed(4)}`; };
    const paper = svg("svg", { preserveAspectRatio: "xMidYMid meet" });
    const labels = [];
    for (const feature of found.features) {
      const polygons = feature.geometry.type === "MultiPolygon" ? feature.geometry.coordinates : [feature.geometry.coordinates];
      const path = svg("path", { d: polygons.map((rings) => rings.map((ring) => `M${ring.map(place).join("L")}Z`).join("")).join("") });
      paper.append(path);
      const [lon, lat] = feature.properties.label || feature.properties.cp || feature.properties.center;
      const code = String(feature.properties.adcode);
      const [e, s] = nudge[code] || [0, 0];
      labels.push([code, path, lon * ratio + e, -lat + s]);
    }
    for (const [code, path, x, y] of labels) {
      const name = svg("text", { x, y, "font-size": 0.078 });
      const count = svg("text", { x, y: y + 0.09, "font-size": 0.084, class: "w-n" });
      paper.append(name, count);
      parts.set(code, { path, name, count });
    }
    paper.setAttribute("viewBox", `${west - 0.03} ${north - 0.03} ${east - west + 0.06} ${south - north + 0.06}`);
    box.replaceChildren(paper, el("span", "w-demo", words.demoMap));
    if (last) draw(last);
  });
  return Object.assign(draw, { ready });
}

const RINGS = { raised: [0, "dotted"], triaged: [0.15, ""], dispatched: [0.35, ""], checking: [0.55, ""], confirmed: [0.75, "good"], acted: [0.9, "good"], settled: [1, "good"] };

function ring(state) {
  const [part, tone] = RINGS[state] || [0, ""];
  const paper = svg("svg", { viewBox: "0 0 16 16", class: "w-ring" }, svg("circle", { cx: 8, cy: 8, r: 6.4, class: `o ${tone}` }));
  if (part >= 1) paper.append(svg("circle", { cx: 8, cy: 8, r: 6.4, class: "f" }), svg("path", { d: "M4.8 8.2l2.2 2.2 4.2-4.6", class: "tick" }));
  else if (part > 0) paper.append(svg("circle", { cx: 8, cy: 8, r: 2.6, class: `p ${tone}`, pathLength: 100, "stroke-dasharray": `${part * 100} 100`, transform: "rotate(-90 8 8)" }));
  return paper;
}

function stages(box, { words }) {
  box.classList.add("w-stages");
  const parts = words.track.map((state) => {
    const value = el("b", "", "—");
    value.dataset.stage = state;
    return { state, value, made: el("li", "", ring(state), el("span", "", words.states[state]), value) };
  });
  box.replaceChildren(el("ol", "", ...parts.map((part) => part.made)));
  return ({ stages: counts }) => { for (const { state, value } of parts) value.textContent = number(counts[state] || 0); };
}

function latest(box, { words, pick, note }) {
  return ({ latest: { rows, masked } }) => {
    if (masked) return empty(box, words.masked);
    if (!rows.length) return empty(box, words.none);
    const shown = pageOf(rows, fits(box, 4.3), 20);
    note(shown.pages > 1 ? `${shown.page} / ${shown.pages}` : "");
    return box.replaceChildren(...shown.rows.map((row) => {
      const county = pick(row, "county");
      return el("div", "w-line",
        el("div", "w-what", tag(row.level, words.levels[row.level]), el("span", "", pick(row, "rule"))),
        el("div", "w-where", el("span", "", row.township ? `${county}・${row.township}` : county), el("b", "", words.states[row.stage]), el("time", "", moment(row.at))));
    }));
  };
}

function alarms(box, { words, pick, note }) {
  return ({ alarms: found }) => {
    const said = fill(words.unreviewed, found.unreviewed);
    if (found.masked) { note(said); return empty(box, words.masked); }
    if (!found.latest.length) { note(said); return empty(box, words.noAlarm); }
    const shown = pageOf(found.latest, fits(box, 4.3), 20);
    note(shown.pages > 1 ? `${said}　${shown.page} / ${shown.pages}` : said);
    return box.replaceChildren(...shown.rows.map((row) => el("div", "w-line",
      el("div", "w-what", tag(row.level, words.alarms[row.level]), el("span", "", pick(row, "title"))),
      el("div", "w-where", el("span", "", `${pick(row, "place")}・${pick(row, "factor")}`), el("i", "", fill(words.times, row.multiple.toFixed(1))), el("b", "", words.alarmStates[row.state]), el("time", "", moment(row.at))))));
  };
}

function alarmCounties(box, { words, pick }) {
  const levels = ["urgent", "warning", "notice"];
  return ({ alarms: { counties: rows } }) => {
    const head = el("tr", "", el("th", "", words.columns[0]), ...levels.map((level) => el("th", `t-${TONES[level]}`, `${SHAPES[level]} ${words.alarms[level]}`)));
    const body = rows.map((row) => el("tr", "", el("td", "", pick(row, "name")), ...levels.map((level) => el("td", row[level] ? "" : "w-zero", number(row[level])))));
    box.replaceChildren(el("table", "w-table w-four", el("thead", "", head), el("tbody", "", ...body)));
  };
}

const WORST = ["silent", "late", "never", "ok"];
const HEALTH = { silent: ["urgent", "▲"], late: ["soon", "◆"], never: ["none", "○"], ok: ["good", "●"] };
const plainTitle = (value) => value.replace(/（[^）]*）/g, "").replace(/ ?\([^)]*\)/g, "").trim();

function age(row, words) {
  const until = row.covers_until || row.landed_at;
  if (!until) return "—";
  const days = daysSince(until);
  return days === 0 ? words.today : fill(words.days, days);
}

const byState = (rows) => [...rows].sort((a, b) => WORST.indexOf(a.state) - WORST.indexOf(b.state) || a.agency.localeCompare(b.agency, "zh"));

function feedList(box, { words, pick, note, english }) {
  return ({ feeds: rows }) => {
    const sorted = byState(rows);
    const shown = pageOf(sorted, fits(box, english ? 3.4 : 3.1));
    const tally = [...WORST].reverse().map((state) => [state, rows.filter((row) => row.state === state).length]).filter(([, count]) => count)
      .map(([state, count]) => el("span", `t-${HEALTH[state][0]}`, `${HEALTH[state][1]} ${count}`));
    note(...tally, shown.pages > 1 ? el("span", "", `${shown.page} / ${shown.pages}`) : "");
    box.replaceChildren(...shown.rows.map((row) => el("div", "w-feed", el("span", "", plainTitle(pick(row, "title"))), el("span", "w-age", age(row, words)), el("span", `t-${HEALTH[row.state][0]}`, `${HEALTH[row.state][1]} ${words.feed[row.state]}`))));
  };
}

function feedGrid(box, { words, pick, english }) {
  box.classList.add("w-cells");
  return ({ feeds: rows }) => {
    // As many columns as leave every name its two lines.
    const wide = box.clientWidth / (parseFloat(getComputedStyle(document.documentElement).fontSize));
    const columns = Math.max(3, Math.floor(wide / (english ? 20 : 17)));
    box.style.gridTemplateColumns = `repeat(${columns}, minmax(0, 1fr))`;
    box.style.gridTemplateRows = `repeat(${Math.ceil(rows.length / columns)}, minmax(0, 1fr))`;
    box.replaceChildren(...byState(rows).map((row) => el("div", `w-cell s-${row.state}`,
      el("span", "w-name", plainTitle(pick(row, "title"))),
      el("span", "w-state", el("b", `t-${HEALTH[row.state][0]}`, `${HEALTH[row.state][1]} ${words.feed[row.state]}`), el("i", "", age(row, words))))));
  };
}

function feedSum(box, { words, pick, english }) {
  box.classList.add("w-figures");
  return ({ feeds: rows }) => {
    const count = (state) => rows.filter((row) => row.state === state).length;
    const figures = ["ok", "late", "silent", "never"].map((state) => el("div", "w-figure", el("span", `t-${HEALTH[state][0]}`, `${HEALTH[state][1]} ${words.feed[state]}`), el("b", "", number(count(state)))));
    const newest = rows.filter((row) => row.landed_at).sort((a, b) => (a.landed_at < b.landed_at ? 1 : -1))[0];
    const last = newest ? [el("span", "", `${words.landings.last} · ${plainTitle(pick(newest, "title"))}`), el("b", "w-small", moment(newest.landed_at))] : [el("span", "", "—")];
    box.replaceChildren(el("div", "w-figure", el("span", "", words.landings.feeds), el("b", "", number(rows.length))), ...figures, el("div", `w-figure w-wide${english ? " w-en" : ""}`, ...last));
  };
}

function models(box, { words, pick, note }) {
  return ({ models: { models: rows } }) => {
    if (!rows.length) return empty(box, words.models.none);
    const room = fits(box, 3.1) - 1;
    const shown = pageOf(rows, Math.max(1, room), 15);
    note(shown.pages > 1 ? `${shown.page} / ${shown.pages}` : "");
    const head = el("tr", "", ...words.models.columns.map((word) => el("th", "", word)));
    const body = shown.rows.map((row) => {
      const status = row.stopped ? ["soon", "◆", words.models.stopped] : row.status === "trial" ? ["plain", "■", words.models.trial] : ["good", "●", words.models.live];
      return el("tr", "", el("td", "w-code", row.code), el("td", "w-title", pick(row, "name")), el("td", `t-${status[0]} w-status`, `${status[1]} ${status[2]}`), ...["found", "checked", "confirmed"].map((key) => el("td", row[key] ? "" : "w-zero", number(row[key]))));
    });
    return box.replaceChildren(el("table", "w-table w-models", el("thead", "", head), el("tbody", "", ...body)));
  };
}

export const PANELS = {
  funnel, map, counties, stages, latest, alarms, alarm_counties: alarmCounties, feed_list: feedList, feed_grid: feedGrid, feed_sum: feedSum,
  landings, river, river_here: riverHere, river_counts: riverCounts, sections, series, exceedance_days: exceedanceDays,
  recovery_sum: recoverySum, recovery_months: recoveryMonths, recovery_counties: recoveryCounties, recovery_seized: recoverySeized,
  recovery_results: results("recovery"), wage_sum: wageSum, wage_months: wageMonths, wage_counties: wageCounties, wage_industries: wageIndustries,
  wage_sites: wageSites, wage_results: results("wages"), pairs,
  exceedance_factors: exceedanceFactors, tiles, flow, flow_days: flowDays, flow_levels: flowLevels, origins, models, domains,
};
