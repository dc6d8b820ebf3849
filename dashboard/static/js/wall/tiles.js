// Live pictures. A stream that stands still raises no error by itself, so a watchdog compares the time it shows.
import { clock, el, fill } from "./draw.js";

const CHECK = 2000;
const STALL = 4;

export class Tile {
  constructor(camera, context) {
    this.camera = camera;
    this.context = context;
    this.video = el("video", "");
    Object.assign(this.video, { muted: true, playsInline: true, disablePictureInPicture: true });
    this.badge = el("span", "w-badge");
    this.over = el("div", "w-over");
    const where = camera.km === null || camera.km === undefined ? context.pick(camera, "county") : `${context.pick(camera, "county")} · ${camera.km.toFixed(0)} km`;
    this.box = el("div", "w-tile", this.video, this.over, this.badge, el("div", "w-tile-name", el("b", "", context.pick(camera, "name")), el("span", "", where)));
    this.tries = 0;
    this.shown = null;
    this.still = 0;
    this.time = 0;
    this.hls = null;
    this.say("asking");
  }

  say(state, why = "") {
    this.state = state;
    const { words } = this.context;
    const tone = { live: ["good", "●"], asking: ["none", "○"], stalled: ["soon", "◆"], dead: ["urgent", "▲"], still: ["none", "○"], off: ["none", "○"] }[state];
    this.box.dataset.state = state;
    this.badge.className = `w-badge t-${tone[0]}`;
    this.badge.textContent = `${tone[1]} ${words.tiles[state]}`;
    const said = [why || (state === "live" ? "" : words.tiles[state])];
    if (this.shown && state !== "live") said.push(`${words.tiles.last} ${clock(this.shown)}`);
    this.over.replaceChildren(...said.filter(Boolean).map((value) => el("span", "", value)));
  }

  start() {
    this.halt();
    if (this.camera.still) { this.say("still"); return; }
    if (!this.camera.playing) { this.say("off"); return; }
    if (!this.context.stream || typeof Hls === "undefined" || !Hls.isSupported()) { this.say("asking"); return; }
    if (!this.tries) this.say("asking");
    this.hls = new Hls({ enableWorker: true, workerPath: this.context.worker, backBufferLength: 8, liveSyncDurationCount: 3, maxBufferLength: 10 });
    this.hls.on(Hls.Events.ERROR, (_, data) => { if (data.fatal) this.again(); });
    this.hls.loadSource(this.context.stream(this.camera.id));
    this.hls.attachMedia(this.video);
    this.video.play().catch(() => {});
    this.still = 0;
    this.time = 0;
    this.timer = setInterval(() => this.watch(), CHECK);
  }

  watch() {
    if (this.video.currentTime > this.time + 0.05) {
      this.time = this.video.currentTime;
      this.still = 0;
      this.tries = 0;
      this.shown = this.hls?.playingDate || new Date();
      if (this.state !== "live") this.say("live");
      return;
    }
    this.still += 1;
    if (this.still >= STALL) this.again();
  }

  /** Once more, later and later; the last picture stays where it is, with its time. */
  again() {
    const picture = this.video.videoWidth && this.shown ? this.keep() : null;
    this.halt();
    this.tries += 1;
    this.say(this.tries > 3 ? "dead" : "stalled");
    if (picture) this.over.before(picture);
    this.timer = setTimeout(() => this.start(), Math.min(30000, 1000 * 2 ** Math.min(this.tries, 5)));
  }

  keep() {
    this.box.querySelector("canvas")?.remove();
    const canvas = el("canvas", "");
    canvas.width = this.video.videoWidth;
    canvas.height = this.video.videoHeight;
    canvas.getContext("2d").drawImage(this.video, 0, 0);
    return canvas;
  }

  halt() {
    clearInterval(this.timer);
    clearTimeout(this.timer);
    this.hls?.destroy();
    this.hls = null;
  }

  stop() {
    this.halt();
    this.box.remove();
  }
}

const MOST = 9;

export function tiles(box, context) {
  box.classList.add("w-tiles");
  const running = new Map();
  const draw = ({ cameras: found }) => {
    // The ones that play first; within them by river and kilometre, as the register has them.
    const rows = [...found.cameras].sort((a, b) => Number(b.playing) - Number(a.playing)).slice(0, MOST);
    if (!rows.length) { box.classList.remove("w-tiles"); box.replaceChildren(el("p", "w-empty", context.words.tiles.none)); return; }
    const key = (camera) => `${camera.id}:${camera.playing}:${camera.still || false}`;
    for (const [name, tile] of running) if (!rows.some((row) => key(row) === name)) { tile.stop(); running.delete(name); }
    for (const row of rows) if (!running.has(key(row))) { const tile = new Tile(row, context); running.set(key(row), tile); tile.start(); }
    const wide = box.clientWidth / Math.max(1, box.clientHeight);
    // The number of columns that leaves the pictures largest.
    const columns = [1, 2, 3, 4, 5, 6, 7, 8, 9].reduce((best, n) => {
      const size = (k) => Math.min(wide / k, (16 / 9) / Math.ceil(rows.length / k));
      return n <= rows.length && size(n) > size(best) + 1e-6 ? n : best;
    }, 1);
    box.style.gridTemplateColumns = `repeat(${columns}, minmax(0, 1fr))`;
    box.style.gridTemplateRows = `repeat(${Math.ceil(rows.length / columns)}, minmax(0, 1fr))`;
    const wanted = rows.map((row) => running.get(key(row)).box);
    if (wanted.some((one, n) => box.children[n] !== one) || box.children.length !== wanted.length) box.replaceChildren(...wanted);
    const more = found.cameras.length - rows.length;
    context.note(more > 0 ? fill(context.words.tiles.more, more) : "");
  };
  return Object.assign(draw, {
    dispose() { for (const tile of running.values()) tile.stop(); running.clear(); },
    problems: () => [...running.values()].filter((tile) => tile.state === "dead").map((tile) => `camera ${tile.camera.id}`),
  });
}
