// Bars and flows. Every drawing says its numbers; colour only repeats what shape and place say.
import { SHAPES, TONES, el, fill, number, roundUp, sheet, svg, widthOf, within, words as write } from "./draw.js";

export function nothing(box, value) {
  box.replaceChildren(el("p", "w-empty", value));
}

/** Bars by day: ``series`` of {name, tone, of(row)}; the scale is round, the highest bar bears its number. ``label``: of a row. */
export function byDay(box, days, series, none, label = (row) => row.day.slice(5)) {
  const most = Math.max(...days.flatMap((row) => series.map((s) => s.of(row))));
  if (!(most > 0)) return nothing(box, none);
  const page = sheet(box);
  if (!page) return null;
  const { paper, width, height, unit } = page;
  const type = 1.25 * unit;
  const top = series.length > 1 ? 2.3 * unit : 1.7 * unit;
  const left = Math.max(2.6 * unit, widthOf(number(roundUp(most)), type) + 0.7 * unit);
  const right = 0.6 * unit;
  const bottom = 2.1 * unit;
  const scale = roundUp(most);
  const y = (value) => top + (height - top - bottom) * (1 - value / scale);
  const step = (width - left - right) / days.length;
  for (const part of [0, 0.5, 1]) {
    paper.append(svg("line", { x1: left, x2: width - right, y1: y(scale * part), y2: y(scale * part), class: "w-rule" }));
    write(paper, left - 0.5 * unit, y(scale * part) + type * 0.35, number(scale * part), type, "w-tick", "end");
  }
  const every = Math.max(1, Math.ceil((widthOf("00-00", type) * 1.5) / step));
  const thick = Math.max(2, (step * 0.7) / series.length);
  days.forEach((row, n) => {
    const x = left + n * step + step * 0.15;
    series.forEach((s, k) => {
      const value = s.of(row);
      if (value > 0) paper.append(svg("rect", { x: x + k * thick, y: y(value), width: Math.max(1, thick - 1), height: height - bottom - y(value), class: `w-bar t-${s.tone}` }));
    });
    if ((days.length - 1 - n) % every === 0) write(paper, Math.min(left + (n + 0.5) * step, width - right - widthOf("00-00", type) / 2), height - 0.5 * unit, label(row), type, "w-tick", "middle");
  });
  const peak = days.reduce((best, row, n) => (series[0].of(row) > series[0].of(days[best]) ? n : best), 0);
  const x = Math.min(Math.max(left + (peak + 0.5) * step, left + unit), width - right - unit);
  write(paper, x, Math.max(y(series[0].of(days[peak])) - 0.35 * unit, type), number(series[0].of(days[peak])), type, "w-strong", "middle");
  if (series.length > 1) {
    let at = width - right;
    for (const s of [...series].reverse()) {
      at -= widthOf(s.name, type);
      write(paper, at, type, s.name, type, "w-tick");
      at -= 1.5 * unit;
      paper.append(svg("rect", { x: at, y: type - unit * 0.85, width: unit * 0.9, height: unit * 0.9, class: `w-bar t-${s.tone}` }));
      at -= 1.2 * unit;
    }
  }
  return null;
}

export function exceedanceDays(box, { words, note }) {
  return ({ exceedance: { days, stopped } }) => {
    if (stopped.length) return nothing(box, words.river.stopped);
    note(`${words.exceed.total} ${number(days.reduce((sum, row) => sum + row.above, 0))}`);
    return byDay(box, days, [{ name: "", tone: "soon", of: (row) => row.above }], words.exceed.none);
  };
}

export function flowDays(box, { words }) {
  return ({ flow: { days } }) => byDay(box, days, [{ name: words.flow.found, tone: "plain", of: (row) => row.found }, { name: words.flow.confirmed, tone: "good", of: (row) => row.confirmed }], words.flow.none);
}

export function landings(box, { words }) {
  return ({ landings: { days } }) => byDay(box, days, [{ name: words.landings.landings, tone: "plain", of: (row) => row.landings }, { name: words.landings.feeds, tone: "good", of: (row) => row.feeds }], words.landings.none);
}

/** Rows with a bar each: {name, value, tone, note, said}; ``said`` stands in place of the value. */
export function bars(box, rows, most) {
  box.classList.add("w-rows");
  box.replaceChildren(...rows.map((row) => {
    const bar = el("i", `w-fill t-${row.tone}`);
    bar.style.width = `${most > 0 ? Math.max(row.value ? 1.5 : 0, (100 * row.value) / most) : 0}%`;
    return el("div", "w-row", el("span", "w-name", row.name), el("span", "w-track", bar), el("b", "", row.said ?? number(row.value)), row.note ? el("span", "w-note", row.note) : null);
  }));
}

export function exceedanceFactors(box, { words, pick }) {
  return ({ exceedance: { factors, stopped } }) => {
    if (stopped.length) return nothing(box, words.river.stopped);
    const rows = factors.filter((row) => row.above);
    if (!rows.length) return nothing(box, words.exceed.none);
    return bars(box, rows.slice(0, 6).map((row) => ({ name: pick(row, "name"), value: row.above, tone: "soon", note: fill(words.exceed.worst, row.worst.toFixed(1)) })), Math.max(...rows.map((row) => row.above)));
  };
}

export function flowLevels(box, { words }) {
  return ({ flow: { levels } }) => bars(box, Object.entries(levels).map(([level, value]) => ({ name: el("span", `t-${TONES[level]}`, `${SHAPES[level]} ${words.levels[level]}`), value, tone: TONES[level] })), Math.max(...Object.values(levels)));
}

export function origins(box, { words, pick }) {
  return ({ flow: { origins: rows } }) => bars(box, rows.map((row) => ({ name: pick(row, "name"), value: row.found, tone: "plain", note: `${words.flow.confirmed} ${number(row.confirmed)}` })), Math.max(...rows.map((row) => row.found)));
}

export function domains(box, { words }) {
  return ({ models: { models } }) => {
    const rows = Object.entries(words.domains).map(([code, name]) => {
      const own = models.filter((row) => row.domain === code);
      return { name, value: own.reduce((sum, row) => sum + row.found, 0), tone: "plain", note: `${fill(words.models.rules, own.length)} · ${words.flow.confirmed} ${number(own.reduce((sum, row) => sum + row.confirmed, 0))}` };
    });
    bars(box, rows, Math.max(...rows.map((row) => row.value)));
  };
}

/** From found to settled as bands that narrow; what is not yet decided stays beside the band, with its number. */
export function flow(box, { words }) {
  return ({ funnel }) => {
    const page = sheet(box);
    if (!page) return;
    const { paper, width, height, unit } = page;
    const [big, small] = [2.4 * unit, 1.35 * unit];
    const label = Object.fromEntries(words.figures);
    const steps = [["found", "plain", ""], ["checked", "plain", `${words.flow.unchecked} ${number(funnel.found - funnel.checked)}`], ["confirmed", "good", `${words.flow.unfounded} ${number(funnel.checked - funnel.confirmed)}`]];
    const row = height / 4;
    const full = width * 0.52;
    const size = (value) => Math.max(width * 0.06, (full * value) / Math.max(1, funnel.found));
    steps.forEach(([key, tone, aside], n) => {
      const [here, next] = [size(funnel[key]), n < 2 ? size(funnel[steps[n + 1][0]]) : size(funnel.confirmed)];
      const [top, bottom] = [n * row + 0.1 * row, (n + 1) * row - 0.12 * row];
      const middle = width * 0.3;
      paper.append(svg("path", { d: `M${middle - here / 2} ${top}H${middle + here / 2}L${middle + (n < 2 ? (here + next) / 4 : here / 2)} ${bottom}H${middle - (n < 2 ? (here + next) / 4 : here / 2)}Z`, class: `w-band t-${tone}` }));
      write(paper, middle, (top + bottom) / 2 + big * 0.36, number(funnel[key]), big, "w-strong", "middle");
      write(paper, width * 0.62, (top + bottom) / 2 - small * 0.15, within(label[key], small * 1.1, width * 0.36), small * 1.1, "w-word");
      if (aside) write(paper, width * 0.62, (top + bottom) / 2 + small * 1.3, within(aside, small, width * 0.36), small, "w-tick");
    });
    const parts = [["corrected", "good"], ["improved", "good"], ["in_progress", "plain"]];
    const cell = width / 3;
    parts.forEach(([key, tone], n) => {
      const x = n * cell + cell / 2;
      paper.append(svg("rect", { x: n * cell + 0.2 * unit, y: 3 * row + 0.06 * row, width: cell - 0.4 * unit, height: row * 0.86, class: `w-cellbox t-${tone}` }));
      write(paper, x, 3 * row + row * 0.5, number(funnel[key]), big * 0.9, "w-strong", "middle");
      write(paper, x, 3 * row + row * 0.8, within(label[key], small, cell - 0.8 * unit), small, "w-tick", "middle");
    });
  };
}
