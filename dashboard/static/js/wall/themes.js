// Money that was lost, owed, paid and recovered, what settled clues brought, and pictures before and after.
import { bars, byDay, nothing } from "./charts.js";
import { SHAPES, el, fill, fits, number, pageOf } from "./draw.js";

/** 分 as units of ten thousand yuan: one place behind the point below a hundred. */
const tens = (fen) => { const value = fen / 1e6; return value && value < 100 ? Math.round(value * 10) / 10 : Math.round(value); };
const month = (row) => row.month.slice(2).replace("-", "/");

function figures(box, rows) {
  box.replaceChildren(...rows.map(([label, value, unit, tone]) => el("div", `w-figure${tone ? ` k-${tone}` : ""}`, el("span", "", label), el("b", "", number(value), el("small", "", unit)))));
}

function table(box, words, columns, rows, keys, total) {
  const line = (row, name, last) => el("tr", last ? "w-sum" : "", el("td", "", name), ...keys.map(([key, say]) => el("td", row[key] ? "" : "w-zero", number(say(row[key])))));
  const head = el("tr", "", ...columns.map((word) => el("th", "", word)));
  const body = rows.map((row) => line(row, row.shown, false));
  box.replaceChildren(el("table", "w-table w-four", el("thead", "", head), el("tbody", "", ...body, line(total, words.all, true))));
}

const named = (rows, pick, words) => rows.map((row) => ({ ...row, shown: row.code ? pick(row, "name") : words.recovery.unsaid }));
const plain = (value) => value;

export function recoverySum(box, { words }) {
  const own = words.recovery;
  box.classList.add("w-figures");
  return ({ losses: { total, clues, seized } }) => {
    const open = seized.filter((row) => row.name === "未处置").reduce((sum, row) => sum + row.cases, 0);
    figures(box, [
      ...(total ? [[own.cases, total.cases, own.piece, ""], [own.lost, tens(total.lost), own.money, "soon"], [own.recovered, tens(total.recovered), own.money, "confirmed"], [own.unhandled, open, own.piece, open ? "soon" : ""]] : []),
      [own.found, clues.found, own.piece, ""], [own.confirmed, clues.confirmed, own.piece, "confirmed"]]);
  };
}

export function recoveryMonths(box, { words }) {
  return ({ losses: { months, stopped } }) => (stopped.length ? nothing(box, words.river.stopped) : byDay(box, months, [
    { name: words.recovery.lost, tone: "soon", of: (row) => tens(row.lost) }, { name: words.recovery.recovered, tone: "good", of: (row) => tens(row.recovered) }], words.recovery.none, month));
}

export function recoveryCounties(box, { words, pick }) {
  return ({ losses: { counties, total, stopped } }) => (stopped.length ? nothing(box, words.river.stopped)
    : table(box, words, words.recovery.columns, named(counties, pick, words), [["cases", plain], ["lost", tens], ["recovered", tens]], total));
}

export function recoverySeized(box, { words, pick }) {
  return ({ losses: { seized, stopped } }) => {
    if (stopped.length) return nothing(box, words.river.stopped);
    if (!seized.length) return nothing(box, words.recovery.none);
    const rows = seized.slice(0, Math.max(1, fits(box, 5.6)));
    return bars(box, rows.map((row) => ({ name: pick(row, "name") || words.recovery.unsaid, value: row.value, said: number(tens(row.value)), tone: row.name === "未处置" ? "soon" : "plain", note: `${number(row.cases)} ${words.recovery.piece}` })), Math.max(...seized.map((row) => row.value)));
  };
}

/** Results of settled clues: those of the theme first, each in its own unit, so no bar compares them. */
export const results = (theme) => (box, { words, pick, note }) => ({ results: { rows, themes } }) => {
  const mine = themes[theme];
  const shown = rows.filter((row) => mine.includes(row.code));
  if (!shown.some((row) => row.clues)) return nothing(box, words.results.none);
  note(words.results.of);
  const amount = (row) => (row.unit === "money" ? `${number(tens(row.amount))} ${words.recovery.money}` : row.unit === "tonnes" || row.unit === "square_metres" ? number(Math.round(row.amount / 100)) : number(row.amount));
  box.classList.add("w-rows");
  return box.replaceChildren(...shown.map((row) => el("div", "w-row", el("span", "w-name", pick(row, "name")), el("b", row.clues ? "" : "w-zero", amount(row)), el("span", "w-note", fill(words.results.clues, number(row.clues))))));
};

export function wageSum(box, { words }) {
  const own = words.wages;
  box.classList.add("w-figures");
  return ({ wages: { total, clues, stopped } }) => figures(box, [
    ...(stopped.includes("hr_wage_arrears") ? [] : [[own.claims, total.claims, own.piece, ""], [own.open, total.open, own.piece, total.open ? "soon" : ""], [own.owed, tens(total.owed), own.money, "soon"], [own.paid, tens(total.paid), own.money, "confirmed"]]),
    [own.found, clues.found, own.piece, ""], [own.confirmed, clues.confirmed, own.piece, "confirmed"]]);
}

export function wageMonths(box, { words }) {
  return ({ wages: { months, stopped } }) => (stopped.includes("hr_wage_arrears") ? nothing(box, words.river.stopped) : byDay(box, months, [
    { name: words.wages.owed, tone: "soon", of: (row) => tens(row.owed) }, { name: words.wages.paid, tone: "good", of: (row) => tens(row.paid) }], words.wages.none, month));
}

export function wageCounties(box, { words, pick }) {
  return ({ wages: { counties, total, stopped } }) => (stopped.includes("hr_wage_arrears") ? nothing(box, words.river.stopped)
    : table(box, words, words.wages.columns, named(counties, pick, words), [["claims", plain], ["owed", tens], ["paid", tens]], total));
}

export function wageIndustries(box, { words, pick }) {
  return ({ wages: { industries, stopped } }) => {
    if (stopped.includes("hr_wage_arrears")) return nothing(box, words.river.stopped);
    if (!industries.length) return nothing(box, words.wages.none);
    const rows = industries.slice(0, Math.max(1, fits(box, 5.6)));
    return bars(box, rows.map((row) => ({ name: pick(row, "name") || words.recovery.unsaid, value: row.owed, said: number(tens(row.owed)), tone: "plain", note: `${fill(words.wages.workers, number(row.workers))} · ${number(row.claims)} ${words.wages.piece}` })), Math.max(...industries.map((row) => row.owed)));
  };
}

export function wageSites(box, { words, note }) {
  const own = words.wages;
  return ({ wages: { sites, stopped } }) => {
    if (stopped.includes("hr_wage_guarantee")) return nothing(box, words.river.stopped);
    if (!sites) return nothing(box, own.noSites);
    note(`${sites.month}　${fill(own.sites, number(sites.sites))}`);
    return bars(box, own.lacks.map(([key, name]) => ({ name, value: sites[key], tone: sites[key] ? "soon" : "good", said: sites[key] ? number(sites[key]) : el("span", "t-good", `${SHAPES.good} 0`) })), Math.max(1, sites.sites));
  };
}

// ---- before and after --------------------------------------------------------------------------------

export function pairs(box, { words, pick }) {
  const own = words.pairs;
  let drawn = "";
  return ({ pairs: { rows, masked } }) => {
    if (!rows.length) {
      drawn = "";
      box.classList.remove("w-pairs");
      box.replaceChildren(el("div", "w-nothing", el("p", "", masked ? own.noneForVisitors : own.none), el("p", "w-faint", own.how)));
      return;
    }
    box.classList.add("w-pairs");
    // Two pictures of 4 : 3 beside each other with a line above and below: as many pairs as leave them largest.
    const wide = box.clientWidth / Math.max(1, box.clientHeight);
    const most = Math.min(rows.length, wide > 2.6 ? 4 : 2);
    const shown = pageOf(rows, most, 15);
    const count = shown.rows.length;
    const columns = [1, 2, 3, 4].filter((n) => n <= count).reduce((best, n) => {
      const size = (k) => Math.min(wide / k, 2.4 / Math.ceil(count / k));
      return size(n) > size(best) + 1e-6 ? n : best;
    }, 1);
    const named = shown.rows.map((row) => row.id).join(" ");
    // The same pictures stay: nothing is loaded or painted again.
    if (named === drawn) return;
    drawn = named;
    box.style.gridTemplateColumns = `repeat(${columns}, minmax(0, 1fr))`;
    box.style.gridTemplateRows = `repeat(${Math.ceil(count / columns)}, minmax(0, 1fr))`;
    box.replaceChildren(...shown.rows.map((row) => {
      const county = pick(row, "county");
      const side = (name, word) => {
        const image = el("img", "");
        image.src = `/wall/picture/${row.id}/${name}`;
        image.alt = word;
        image.addEventListener("error", () => { image.hidden = true; });
        return el("figure", `w-side s-${name}`, image, el("figcaption", "", el("b", "", `${name === "after" ? SHAPES.good : SHAPES.soon} ${word}`), el("time", "", row[name])));
      };
      return el("div", "w-before-after", el("h2", "", el("span", "", pick(row, "rule")), el("small", "w-asof", row.township ? `${county}・${row.township}` : county)),
        el("div", "w-sides", side("before", own.before), side("after", own.after)));
    }));
  };
}
