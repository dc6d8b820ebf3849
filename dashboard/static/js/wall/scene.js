// One scene on one canvas: frame, grid, panels. Each panel stands for itself; one that fails keeps its last picture.
import { clock, el, fill } from "./draw.js";
import { PANELS } from "./panels.js";

export class Scene {
  /** ``context``: words, english, map, worker, now(), stream(id) or null, still (a thumbnail), ids (panels bear names). */
  constructor(spec, context) {
    this.spec = spec;
    this.context = context;
    this.panels = [];
    this.failed = new Set();
    this.blocks = null;
    this.generated = null;
    this.heard = 0;
    this.grid = el("div", "w-grid");
    this.clock = el("time", "w-clock");
    this.asOf = el("span", "w-asof", "—");
    this.chip = el("span", "w-chip");
    this.badges = el("span", "w-flags");
    if (context.ids) { this.chip.id = "chip"; this.clock.id = "clock"; this.chip.setAttribute("role", "status"); }
    const words = context.words;
    this.head = el("header", "w-head", this.clock, el("h1", "", words.centre), el("div", "w-end", el("strong", "w-title", spec.title), this.badges, el("span", "w-as", `${words.asOf} `, this.asOf), this.chip));
    this.box = el("section", "canvas", this.head, this.grid, el("div", "w-frozen"));
    this.box.dataset.scene = spec.code;
    this.frozen = this.box.lastElementChild;
    this.state("late");
  }

  /** Put it into the page (hidden or not) and lay it out for the size it has. */
  mount(parent, scale = 1) {
    parent.append(this.box);
    this.lay(scale);
    for (const panel of this.spec.panels) this.add(panel);
    this.arrange();
  }

  lay(scale) {
    this.scale = scale;
    const aspect = this.box.clientWidth / Math.max(1, this.box.clientHeight);
    this.layout = this.spec.layouts.find((one) => aspect >= one.aspect_from && scale >= one.scale_from - 1e-6) || this.spec.layouts[this.spec.layouts.length - 1];
    this.grid.style.gridTemplateColumns = this.layout.columns.split(" ").map((part) => (part.endsWith("fr") ? `minmax(0, ${part})` : part)).join(" ");
    this.grid.style.gridTemplateRows = this.layout.rows.split(" ").map((part) => (part.endsWith("fr") ? `minmax(0, ${part})` : part)).join(" ");
    this.grid.style.gridTemplateAreas = this.layout.areas.map((row) => `"${row}"`).join(" ");
  }

  arrange() {
    const named = new Set(this.layout.areas.join(" ").split(" "));
    for (const panel of this.panels) {
      panel.on = named.has(panel.spec.area);
      panel.frame.hidden = !panel.on;
    }
  }

  add(spec) {
    const body = el("div", "w-body");
    const count = el("small", "w-count");
    const stamp = el("small", "w-asof");
    const frame = el("div", `w-panel w-${spec.kind.replaceAll("_", "-")}${spec.bare ? " w-bare" : ""}`);
    if (!spec.bare) frame.append(el("h2", "", el("span", "", spec.title), spec.note ? el("small", "w-note", spec.note) : null, count, stamp));
    frame.append(body);
    frame.style.gridArea = spec.area;
    if (this.context.ids) body.id = spec.kind;
    this.grid.append(frame);
    const panel = { spec, frame, body, stamp, stamped: false };
    const context = {
      ...this.context,
      pick: (row, name) => (this.context.english ? row[`${name}_en`] || row[name] : row[name]) ?? "",
      note: (...parts) => count.replaceChildren(...parts.filter((part) => part !== "")),
      stamp: (value) => { panel.stamped = true; stamp.textContent = value; },
    };
    try {
      panel.draw = PANELS[spec.kind](body, context);
    } catch (error) {
      console.error(error);
    }
    this.panels.push(panel);
  }

  /** Waits for what a panel fetches by itself (the map). */
  async ready() {
    await Promise.allSettled([document.fonts?.ready, ...this.panels.map((panel) => panel.draw?.ready)]);
  }

  update(message) {
    this.blocks = { ...this.blocks, ...message.blocks };
    this.generated = message.generated_at;
    this.heard = performance.now();
    this.missing = new Set(message.failed || []);
    this.draw();
    this.asOf.textContent = clock(this.generated);
    for (const panel of this.panels) if (!panel.stamped) panel.stamp.textContent = clock(this.generated);
  }

  draw() {
    if (!this.blocks) return;
    this.failed.clear();
    for (const panel of this.panels) {
      if (!panel.on || !panel.draw) continue;
      try {
        panel.draw(this.blocks);
        panel.frame.classList.remove("w-broken");
      } catch (error) {
        // A block that was never sent is not a fault of the panel.
        console.error(panel.spec.kind, error);
        this.failed.add(panel.spec.kind);
        panel.frame.classList.add("w-broken");
        if (!panel.body.childElementCount) panel.body.replaceChildren(el("p", "w-empty", this.context.words.failed));
      }
    }
  }

  resize(scale = this.scale) {
    this.lay(scale);
    this.arrange();
    this.draw();
  }

  state(name, said = "") {
    this.chip.dataset.state = name;
    this.chip.textContent = this.context.words.chip[name];
    this.box.classList.toggle("w-late", name === "late" && this.heard > 0);
    this.box.classList.toggle("w-stale", name === "off");
    this.frozen.textContent = said;
    this.frozen.hidden = !said;
  }

  flags(...parts) {
    this.badges.replaceChildren(...parts.map((part) => el("em", "", part)));
  }

  tick(at, english) {
    this.clock.textContent = new Date(at).toLocaleString(english ? "en-GB" : "zh-CN", { timeZone: "Asia/Shanghai", year: "numeric", month: "long", day: "numeric", weekday: "long", hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });
  }

  problems() {
    const found = this.panels.filter((panel) => panel.on).flatMap((panel) => panel.draw?.problems?.() || []);
    return [...[...this.failed].map((kind) => `panel ${kind}`), ...[...(this.missing || [])].map((name) => `block ${name}`), ...found];
  }

  dispose() {
    for (const panel of this.panels) panel.draw?.dispose?.();
    this.box.remove();
  }
}

/** How old what is shown is, by when it was last heard: live, late, off. */
export const ageOf = (silent, expected) => (silent > 5 * expected ? "off" : silent > 2 * expected ? "late" : "live");
export { fill };
