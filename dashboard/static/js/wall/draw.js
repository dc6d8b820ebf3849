// Small things that every panel draws with. Nothing here knows what is shown.
const NS = "http://www.w3.org/2000/svg";

/** An element; children may be strings, elements or nothing. */
export function el(tag, name = "", ...children) {
  const made = document.createElement(tag);
  if (name) made.className = name;
  made.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
  return made;
}

export function svg(tag, attributes = {}, ...children) {
  const made = document.createElementNS(NS, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

export const rem = () => parseFloat(getComputedStyle(document.documentElement).fontSize);
export const number = (value) => Number(value).toLocaleString("en-US");
const zone = { timeZone: "Asia/Shanghai" };
const day = (at) => at.toLocaleDateString("sv-SE", zone);

/** Time of day for today, else month and day. */
export function moment(iso) {
  const at = new Date(iso);
  return day(at) === day(new Date()) ? at.toLocaleTimeString("zh-CN", { ...zone, hour: "2-digit", minute: "2-digit", hour12: false }) : day(at).slice(5);
}

export const clock = (at) => new Date(at).toLocaleTimeString("zh-CN", { ...zone, hour12: false });
export const dayAndTime = (iso) => { const at = new Date(iso); return `${day(at).slice(5)} ${at.toLocaleTimeString("zh-CN", { ...zone, hour: "2-digit", minute: "2-digit", hour12: false })}`; };
export const daysSince = (iso) => Math.max(0, Math.floor((Date.now() - new Date(`${iso.slice(0, 10)}T00:00:00+08:00`)) / 86400000));
export const fill = (words, value, second) => words.replace("#", value).replace("%", second);

/** How many rows of this height (in rem) fit whole; what does not fit is paged, never cut. */
export const fits = (box, height) => Math.max(1, Math.floor((box.clientHeight + 1) / (height * rem())));

/** Rows in turn when they do not all fit: the page of this moment, and what to say of it. */
export function pageOf(rows, room, seconds = 12) {
  const pages = Math.max(1, Math.ceil(rows.length / room));
  const page = Math.floor(Date.now() / 1000 / seconds) % pages;
  return { rows: rows.slice(page * room, (page + 1) * room), page: page + 1, pages };
}

/** A drawing as large as its box, in pixels; null while the box has no size. */
export function sheet(box) {
  const [width, height] = [box.clientWidth, box.clientHeight];
  if (width < 40 || height < 30) return null;
  const paper = svg("svg", { viewBox: `0 0 ${width} ${height}`, width, height });
  box.replaceChildren(paper);
  return { paper, width, height, unit: rem() };
}

export function words(paper, x, y, value, size, name = "", anchor = "start") {
  const made = svg("text", { x: x.toFixed(1), y: y.toFixed(1), "font-size": size.toFixed(1), "text-anchor": anchor });
  if (name) made.setAttribute("class", name);
  made.textContent = value;
  paper.append(made);
  return made;
}

/** A round upper end of a scale. */
export function roundUp(value) {
  if (value <= 4) return 4;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 4, 5, 8, 10].map((n) => n * power).find((n) => n >= value);
}

/** Width of words in a type of this size: a Chinese character is as wide as it is high. */
export const widthOf = (value, size) => [...String(value)].reduce((sum, c) => sum + (c.charCodeAt(0) > 255 ? 1.02 : 0.58), 0) * size;

/** The words with an ellipsis, if they would not fit. */
export function within(value, size, most) {
  let text = String(value);
  if (widthOf(text, size) <= most) return text;
  while (text && widthOf(`${text}…`, size) > most) text = text.slice(0, -1);
  return `${text}…`;
}

export const SHAPES = { urgent: "▲", soon: "◆", important: "◆", warning: "◆", ordinary: "■", notice: "■", good: "●", none: "○", plain: "■" };
export const TONES = { urgent: "urgent", important: "soon", warning: "soon", ordinary: "plain", notice: "plain", soon: "soon", good: "good", none: "none" };

/** A mark by shape and colour at (x, y). */
export function mark(paper, tone, x, y, size) {
  const shapes = {
    urgent: `M0-1L1 .8H-1Z`, soon: `M0-1.05L1.05 0 0 1.05-1.05 0Z`, plain: `M-.8-.8H.8V.8H-.8Z`,
    good: `M-.85 0a.85 .85 0 1 0 1.7 0a.85 .85 0 1 0-1.7 0Z`, none: `M-.85 0a.85 .85 0 1 0 1.7 0a.85 .85 0 1 0-1.7 0Z`,
  };
  const made = svg("path", { d: shapes[tone] || shapes.plain, transform: `translate(${x.toFixed(1)} ${y.toFixed(1)}) scale(${size.toFixed(2)})`, class: `w-mark t-${tone}` });
  paper.append(made);
  return made;
}
