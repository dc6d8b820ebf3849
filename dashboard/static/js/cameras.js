// Players: a ticket for each viewing, hls.js on it, a watchdog that starts it anew, frames kept with their digest.
const setting = JSON.parse(document.getElementById("player").textContent);
const { words } = setting;
const token = document.querySelector("input[name=csrfmiddlewaretoken]").value;
const CHECK = 2000;
const purpose = () => document.getElementById("purpose").value;
const clock = (at) => at.toLocaleTimeString("zh-CN", { hour12: false, timeZone: "Asia/Shanghai" });

class Tile {
  constructor(box) {
    this.box = box;
    this.video = box.querySelector("video");
    this.button = box.querySelector("button.keep");
    this.hls = null;
    this.ticket = null;
    this.still = 0;
    this.time = 0;
    this.segment = "";
    this.tries = 0;
    this.shown = null;
    box.querySelector("button.again").addEventListener("click", () => { this.tries = 0; this.start(); });
    this.button?.addEventListener("click", () => this.keep());
  }

  state(name, why = "") {
    this.box.dataset.state = name;
    this.box.querySelector(".health-dot").textContent = words[name] || name;
    if (this.button) this.button.disabled = name !== "live";
    this.box.querySelector(".over b").textContent = why || words[name] || "";
    this.box.querySelector(".over small").textContent = this.shown && name !== "asking" ? `${words.last} ${clock(this.shown)}` : "";
    this.box.querySelector("button.again").hidden = !["dead", "over", "away"].includes(name);
  }

  async start() {
    this.stop();
    // While it is tried again the tile goes on saying that there is no signal.
    if (!this.tries) this.state("asking");
    clearTimeout(this.timer);
    const body = new FormData();
    body.set("csrfmiddlewaretoken", token);
    body.set("purpose", purpose());
    let answer;
    try {
      answer = await fetch(this.box.dataset.play, { method: "POST", body, headers: { "X-Background": "1" } });
    } catch {
      this.again();
      return;
    }
    if (answer.status === 401) { location.reload(); return; }
    if (!answer.ok) {
      const said = await answer.json().catch(() => ({}));
      this.state("dead", said.why);
      return;
    }
    this.ticket = await answer.json();
    this.still = 0;
    this.time = 0;
    this.hls = new Hls({
      enableWorker: true, workerPath: setting.worker, backBufferLength: 10, liveSyncDurationCount: 3, maxBufferLength: 12,
      // What the player fetches by itself keeps nobody signed in.
      xhrSetup: (request) => request.setRequestHeader("X-Background", "1"),
      // A ticket works once: asking again for the list of variants would only be refused.
      manifestLoadPolicy: { default: { maxTimeToFirstByteMs: 8000, maxLoadTimeMs: 8000, timeoutRetry: null, errorRetry: null } },
    });
    this.hls.on(Hls.Events.FRAG_CHANGED, (_, data) => { this.segment = data.frag.relurl; });
    this.hls.on(Hls.Events.ERROR, (_, data) => { if (data.fatal) this.again(); });
    this.hls.loadSource(this.ticket.stream);
    this.hls.attachMedia(this.video);
    this.video.play().catch(() => {});
    const left = new Date(this.ticket.expires_at) - Date.now();
    this.timer = setTimeout(() => { this.stop(); this.state("over"); }, Math.max(1000, left));
  }

  /** Once more, later and later; what was seen last stays on the tile. */
  again() {
    this.stop();
    this.tries += 1;
    this.state(this.tries > 3 ? "dead" : "stalled");
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.start(), Math.min(30000, 1000 * 2 ** Math.min(this.tries, 5)));
  }

  stop() {
    this.hls?.destroy();
    this.hls = null;
    if (this.ticket) {
      const body = new FormData();
      body.set("csrfmiddlewaretoken", token);
      navigator.sendBeacon(this.ticket.close, body);
      this.ticket = null;
    }
  }

  /** A player that stands still raises no error by itself: compare the time it shows. */
  watch() {
    if (!this.hls) return;
    if (this.video.currentTime > this.time + 0.05) {
      this.time = this.video.currentTime;
      this.still = 0;
      this.tries = 0;
      this.shown = this.hls.playingDate || new Date();
      this.state(this.hls.latency > 15 ? "late" : "live");
      return;
    }
    this.still += 1;
    if (this.still * CHECK >= setting.stall * 1000) this.again();
  }

  async keep() {
    const said = this.box.querySelector(".kept");
    const canvas = document.createElement("canvas");
    canvas.width = this.video.videoWidth;
    canvas.height = this.video.videoHeight;
    canvas.getContext("2d").drawImage(this.video, 0, 0);
    const shown = this.hls?.playingDate;
    const segment = this.segment;
    const image = await new Promise((done) => { canvas.toBlob(done, "image/png"); });
    const body = new FormData();
    body.set("csrfmiddlewaretoken", token);
    body.set("image", image, "frame.png");
    body.set("segment", segment);
    if (shown) body.set("stream_at", shown.toISOString());
    try {
      const answer = await fetch(this.ticket.frame, { method: "POST", body });
      const kept = await answer.json();
      if (!answer.ok) throw new Error(kept.why);
      const link = document.createElement("a");
      link.href = kept.page;
      link.textContent = `${words.kept} ${kept.number}`;
      link.dataset.digest = kept.digest;
      said.replaceChildren(link);
      // On a camera's own page the list below must not go on saying that there is none.
      document.querySelector("[data-no-frames]")?.replaceChildren(link.cloneNode(true));
    } catch (error) {
      said.textContent = `${words.failed}：${error.message}`;
    }
  }
}

const tiles = [...document.querySelectorAll(".tile[data-play]")].map((box) => new Tile(box));
for (const tile of tiles) tile.start();
setInterval(() => { if (!document.hidden) for (const tile of tiles) tile.watch(); }, CHECK);
addEventListener("pagehide", () => { for (const tile of tiles) tile.stop(); });
// Nobody looks at a page in the background: the viewing ends, and goes on when the page is back.
let away = null;
document.addEventListener("visibilitychange", () => {
  clearTimeout(away);
  if (document.hidden) away = setTimeout(() => { for (const tile of tiles) { tile.stop(); tile.state("away"); } }, 60000);
  else for (const tile of tiles) if (!tile.hls && tile.box.dataset.state === "away") tile.start();
});
document.addEventListener("desk:key", (event) => {
  if (event.detail.code === "KeyS" && tiles.length === 1 && tiles[0].button && !tiles[0].button.disabled) { event.preventDefault(); tiles[0].keep(); }
});
