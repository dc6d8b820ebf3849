"use strict";
// Packs files into a signed bundle, or writes the hand-over sheet of a plain disc. Nothing leaves this page.
(() => {
  const $ = (id) => document.getElementById(id);
  const words = (id) => $("w-" + id).content.textContent;
  const agency = document.body.dataset.agency, name = document.body.dataset.name;
  const MARK = "chuxiong-bundle/1\0";
  const MOST = 1 << 30, MANY = 64;
  const BAD = /[\/\\:*?"<>|\u0000-\u001f]/;
  const encoder = new TextEncoder();
  const chosen = [];

  const hex = (buffer) => [...new Uint8Array(buffer)].map((b) => b.toString(16).padStart(2, "0")).join("");
  const digest = async (data) => hex(await crypto.subtle.digest("SHA-256", data));
  const base64 = (buffer) => {
    let text = "";
    for (const b of new Uint8Array(buffer)) text += String.fromCharCode(b);
    return btoa(text);
  };
  const unbase64 = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const grouped = (text) => text.replace(/(.{4})(?=.)/g, "$1 ");

  class Fault extends Error {}
  const fault = (id, more = "") => new Fault(words(id) + more);

  if (!(window.crypto && crypto.subtle && window.TextEncoder && Blob.prototype.arrayBuffer)) {
    $("unfit").textContent = words("unfit");
    $("unfit").hidden = false;
    $("pack").disabled = $("make").disabled = true;
  }

  function say(kind, text) {
    $("said").className = "message " + kind;
    $("said").textContent = text;
    $("said").hidden = false;
  }

  function save(blob, as) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = as;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60000);
  }

  // ---- 1 files ---------------------------------------------------------------------------------

  function show() {
    const body = $("list").tBodies[0];
    body.replaceChildren();
    $("list").hidden = !chosen.length;
    for (const item of chosen) {
      const row = body.insertRow();
      row.insertCell().textContent = item.file.name;
      const size = row.insertCell();
      size.className = "num";
      size.textContent = item.file.size.toLocaleString("zh-CN");
      const feed = document.createElement("select");
      feed.append($("feeds").content.cloneNode(true));
      feed.value = item.feed || feed.value;
      item.feed = feed.value;
      feed.setAttribute("aria-label", item.file.name);
      feed.addEventListener("change", () => { item.feed = feed.value; });
      row.insertCell().append(feed);
      // Whether it is a whole list: as agreed for the feed, until somebody says otherwise.
      const agreed = () => feed.selectedOptions[0]?.dataset.whole === "1";
      const day = document.createElement("input");
      day.type = "date";
      day.value = item.covers_until;
      // Data are complete up to a day that has passed; the local one, not that of Greenwich.
      day.max = new Date(Date.now() - new Date().getTimezoneOffset() * 60000).toISOString().slice(0, 10);
      day.setAttribute("aria-label", item.file.name);
      day.addEventListener("change", () => { item.covers_until = day.value; });
      row.insertCell().append(day);
      const whole = document.createElement("input");
      whole.type = "checkbox";
      whole.checked = item.snapshot ?? agreed();
      feed.addEventListener("change", () => { whole.checked = item.snapshot ?? agreed(); });
      whole.setAttribute("aria-label", item.file.name);
      whole.addEventListener("change", () => { item.snapshot = whole.checked; });
      row.insertCell().append(whole);
      const away = document.createElement("button");
      away.type = "button";
      away.textContent = words("remove");
      away.addEventListener("click", () => { chosen.splice(chosen.indexOf(item), 1); show(); });
      row.insertCell().append(away);
    }
  }

  function add(files) {
    for (const file of files) chosen.push({ file, feed: "", covers_until: "", snapshot: null });
    show();
  }

  $("files").addEventListener("change", () => { add($("files").files); $("files").value = ""; });
  for (const [kind, over] of [["dragenter", true], ["dragover", true], ["dragleave", false], ["drop", false]]) {
    $("drop").addEventListener(kind, (event) => {
      event.preventDefault();
      $("drop").classList.toggle("over", over);
      if (kind === "drop") add(event.dataTransfer.files);
    });
  }

  // ---- 3 way, keys -----------------------------------------------------------------------------

  const way = () => document.querySelector("[name=way]:checked").value;
  const adapt = () => {
    $("signed").hidden = way() !== "bundle";
    $("pack").textContent = words(way() === "bundle" ? "pack" : "make-sheet");
  };
  for (const radio of document.querySelectorAll("[name=way]")) radio.addEventListener("change", adapt);
  adapt();

  const memory = "chuxiong-bundle-" + agency;
  const remember = (number) => { try { localStorage.setItem(memory, number); } catch { /* a page may be forbidden to */ } };
  const last = (() => { try { return Number(localStorage.getItem(memory)) || 0; } catch { return 0; } })();
  if (last) {
    $("sequence").value = last + 1;
    $("last").textContent = words("last").replace("#", last);
  }

  async function wrapping(password, salt, iterations) {
    const base = await crypto.subtle.importKey("raw", encoder.encode(password), "PBKDF2", false, ["deriveKey"]);
    return crypto.subtle.deriveKey(
      { name: "PBKDF2", hash: "SHA-256", salt, iterations }, base, { name: "AES-GCM", length: 256 }, false,
      ["encrypt", "decrypt"],
    );
  }

  const kinds = {
    "Ed25519": { make: { name: "Ed25519" }, sign: { name: "Ed25519" } },
    "ECDSA-P256": { make: { name: "ECDSA", namedCurve: "P-256" }, sign: { name: "ECDSA", hash: "SHA-256" } },
  };

  async function pair() {
    for (const alg of ["Ed25519", "ECDSA-P256"]) {
      try {
        return [alg, await crypto.subtle.generateKey(kinds[alg].make, true, ["sign", "verify"])];
      } catch (error) {
        if (alg === "ECDSA-P256") throw error;
      }
    }
  }

  $("make").addEventListener("click", async () => {
    try {
      const password = $("new-password").value;
      if (password.length < 12) throw fault("short");
      const [alg, keys] = await pair();
      const spki = await crypto.subtle.exportKey("spki", keys.publicKey);
      const pkcs8 = await crypto.subtle.exportKey("pkcs8", keys.privateKey);
      const salt = crypto.getRandomValues(new Uint8Array(16)), iv = crypto.getRandomValues(new Uint8Array(12));
      const iterations = 600000;
      const sealed = await crypto.subtle.encrypt({ name: "AES-GCM", iv }, await wrapping(password, salt, iterations), pkcs8);
      const fingerprint = (await digest(spki)).slice(0, 16);
      const pem = "-----BEGIN PUBLIC KEY-----\n" + base64(spki).replace(/(.{64})/g, "$1\n").trim() + "\n-----END PUBLIC KEY-----\n";
      const document_ = {
        format: "chuxiong-key/1", agency, alg, fingerprint, iterations,
        salt: base64(salt), iv: base64(iv), sealed: base64(sealed),
      };
      save(new Blob([JSON.stringify(document_, null, 1)]), `${agency}-key.json`);
      save(new Blob([pem]), `${agency}-public.pem`);
      $("new-password").value = "";
      say("good", words("made") + fingerprint);
    } catch (error) {
      say("bad", error instanceof Fault ? error.message : words("failed") + error.name);
    }
  });

  async function ownKey() {
    const file = $("key").files[0], password = $("password").value;
    if (!file || !password) throw fault("key");
    let held, pkcs8;
    try {
      held = JSON.parse(await file.text());
      const opener = await wrapping(password, unbase64(held.salt), held.iterations);
      pkcs8 = await crypto.subtle.decrypt({ name: "AES-GCM", iv: unbase64(held.iv) }, opener, unbase64(held.sealed));
    } catch {
      throw fault("badkey");
    }
    if (held.agency !== agency) throw fault("otherkey");
    const kind = kinds[held.alg];
    const key = await crypto.subtle.importKey("pkcs8", pkcs8, kind.make, false, ["sign"]);
    return { alg: held.alg, fingerprint: held.fingerprint, sign: (data) => crypto.subtle.sign(kind.sign, key, data) };
  }

  // ---- zip: stored members, as every reader knows them -------------------------------------------

  const TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
    for (let k = 0; k < 8; k++) n = n & 1 ? 0xedb88320 ^ (n >>> 1) : n >>> 1;
    return n >>> 0;
  });
  const crc32 = (data) => {
    let c = 0xffffffff;
    for (let i = 0; i < data.length; i++) c = TABLE[(c ^ data[i]) & 255] ^ (c >>> 8);
    return (c ^ 0xffffffff) >>> 0;
  };

  function zip(members) {
    const parts = [], directory = [];
    let offset = 0;
    const now = new Date();
    const time = (now.getHours() << 11) | (now.getMinutes() << 5) | (now.getSeconds() >> 1);
    const day = ((now.getFullYear() - 1980) << 9) | ((now.getMonth() + 1) << 5) | now.getDate();
    const record = (signature, layout) => {
      const bytes = new Uint8Array(4 + layout.reduce((n, [size]) => n + size, 0)), view = new DataView(bytes.buffer);
      view.setUint32(0, signature, true);
      let at = 4;
      for (const [size, value] of layout) {
        size === 2 ? view.setUint16(at, value, true) : view.setUint32(at, value, true);
        at += size;
      }
      return bytes;
    };
    for (const [path, data] of members) {
      const title = encoder.encode(path), sum = crc32(data);
      // Version 2.0, names in UTF-8 (bit 11), stored.
      const common = [[2, 20], [2, 0x800], [2, 0], [2, time], [2, day], [4, sum], [4, data.length], [4, data.length], [2, title.length], [2, 0]];
      const head = record(0x04034b50, common);
      parts.push(head, title, data);
      directory.push(record(0x02014b50, [[2, 20], ...common, [2, 0], [2, 0], [2, 0], [4, 0], [4, offset]]), title);
      offset += head.length + title.length + data.length;
    }
    const size = directory.reduce((n, part) => n + part.length, 0);
    const end = record(0x06054b50, [[2, 0], [2, 0], [2, members.length], [2, members.length], [4, size], [4, offset], [2, 0]]);
    return new Blob([...parts, ...directory, end], { type: "application/zip" });
  }

  /** The manifest's bytes of a bundle made by this page or by the command line. */
  async function manifestOf(file) {
    const tail = new DataView(await file.slice(Math.max(0, file.size - 70000)).arrayBuffer());
    let end = tail.byteLength - 22;
    while (end >= 0 && tail.getUint32(end, true) !== 0x06054b50) end--;
    if (end < 0) throw fault("notbefore");
    const count = tail.getUint16(end + 10, true), size = tail.getUint32(end + 12, true), start = tail.getUint32(end + 16, true);
    const directory = new DataView(await file.slice(start, start + size).arrayBuffer());
    for (let at = 0, n = 0; n < count; n++) {
      const length = directory.getUint16(at + 28, true);
      const title = new TextDecoder().decode(new Uint8Array(directory.buffer, at + 46, length));
      if (title === "manifest.json") {
        const packed = directory.getUint32(at + 20, true), place = directory.getUint32(at + 42, true);
        const local = new DataView(await file.slice(place, place + 30).arrayBuffer());
        const from = place + 30 + local.getUint16(26, true) + local.getUint16(28, true);
        let member = file.slice(from, from + packed);
        if (directory.getUint16(at + 10, true) === 8) {
          member = await new Response(member.stream().pipeThrough(new DecompressionStream("deflate-raw"))).blob();
        }
        return member.arrayBuffer();
      }
      at += 46 + length + directory.getUint16(at + 30, true) + directory.getUint16(at + 32, true);
    }
    throw fault("notbefore");
  }

  async function previous(sequence) {
    if (sequence === 1) return "";
    const file = $("before").files[0];
    if (!file) throw fault("before");
    try {
      const raw = await manifestOf(file);
      const before = JSON.parse(new TextDecoder().decode(raw));
      if (before.agency === agency && before.sequence === sequence - 1) return await digest(raw);
    } catch { /* told below */ }
    throw fault("notbefore");
  }

  // ---- 4 make ----------------------------------------------------------------------------------

  function check() {
    if (!chosen.length) throw fault("none");
    if (chosen.length > MANY) throw fault("many");
    const seen = new Set();
    let total = 0;
    for (const { file } of chosen) {
      const key = file.name.toLowerCase();
      if (seen.has(key)) throw fault("double", file.name);
      if (BAD.test(file.name) || file.name.startsWith(".") || file.name.length > 120) throw fault("badname", file.name);
      seen.add(key);
      total += file.size;
      if (total > MOST) throw fault("large", file.name);
    }
  }

  function whole(feed) {
    return [...$("feeds").content.querySelectorAll("option")].some((o) => o.value === feed && o.dataset.whole === "1");
  }

  async function read() {
    const found = [];
    for (const [n, item] of chosen.entries()) {
      $("progress").textContent = `${words("reading")}${n + 1} / ${chosen.length}`;
      const data = new Uint8Array(await item.file.arrayBuffer());
      const entry = { feed: item.feed, name: item.file.name, size: data.length, sha256: await digest(data) };
      if (item.covers_until) entry.covers_until = item.covers_until;
      entry.snapshot = item.snapshot ?? whole(item.feed);
      found.push([entry, data]);
    }
    return found;
  }

  function stamp(date) {
    const two = (n) => String(Math.abs(n)).padStart(2, "0");
    const zone = -date.getTimezoneOffset();
    return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}T${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`
      + `${zone < 0 ? "-" : "+"}${two(Math.trunc(zone / 60))}:${two(zone % 60)}`;
  }

  function paper(entries, made, more) {
    const head = { agency: name, made: made.slice(0, 16).replace("T", " "), ...more };
    for (const id of ["by", "approved_by", "phone", "medium", "note"]) if ($(id).value.trim()) head[id] = $(id).value.trim();
    $("paper-head").replaceChildren(...Object.entries(head).map(([id, value]) => {
      const line = document.createElement("div");
      line.textContent = `${$("h-" + id).content.textContent}：${value}`;
      return line;
    }));
    const titles = Object.fromEntries([...$("feeds").content.querySelectorAll("option")].map((o) => [o.value, o.textContent]));
    $("paper-files").replaceChildren();
    for (const entry of entries) {
      const row = $("paper-files").insertRow();
      for (const text of [entry.name, titles[entry.feed], String(entry.size), grouped(entry.sha256), entry.covers_until || ""]) {
        row.insertCell().textContent = text;
      }
    }
    $("print").disabled = false;
  }

  async function bundle() {
    const sequence = Number($("sequence").value);
    if (!Number.isSafeInteger(sequence) || sequence < 1) throw fault("sequence");
    const before = await previous(sequence);
    const key = await ownKey();
    const files = await read();
    const made = stamp(new Date());
    const handOver = {};
    for (const id of ["by", "approved_by", "phone", "note"]) if ($(id).value.trim()) handOver[id] = $(id).value.trim();
    const manifest = {
      format: "chuxiong-bundle/1", agency, sequence, previous: before, created_at: made,
      files: files.map(([entry]) => entry), hand_over: handOver,
    };
    const raw = encoder.encode(JSON.stringify(manifest, null, 1));
    const signature = await key.sign(new Uint8Array([...encoder.encode(MARK), ...raw]));
    const frame = { alg: key.alg, key: key.fingerprint, signature: base64(signature) };
    const whole = zip([
      ["manifest.json", raw], ["manifest.sig", encoder.encode(JSON.stringify(frame, null, 1))],
      ...files.map(([entry, data]) => ["data/" + entry.name, data]),
    ]);
    const sum = await digest(raw);
    save(whole, `${agency}_${made.slice(0, 10).replaceAll("-", "")}_${String(sequence).padStart(6, "0")}.zip`);
    remember(sequence);
    paper(files.map(([entry]) => entry), made, { sequence, digest: grouped(sum) });
    say("good", words("packed") + sum);
  }

  async function sheet() {
    const files = await read();
    const made = stamp(new Date());
    const handOver = {};
    for (const id of ["by", "approved_by", "phone", "medium", "note"]) if ($(id).value.trim()) handOver[id] = $(id).value.trim();
    const entries = files.map(([entry]) => entry);
    const document_ = { format: "chuxiong-sheet/1", agency, created_at: made, files: entries, hand_over: handOver };
    save(new Blob([JSON.stringify(document_, null, 1)], { type: "application/json" }), "交接单.json");
    paper(entries, made, {});
    say("good", words("sheet"));
  }

  $("pack").addEventListener("click", async () => {
    $("pack").disabled = true;
    $("said").hidden = true;
    try {
      check();
      await (way() === "bundle" ? bundle() : sheet());
    } catch (error) {
      say("bad", error instanceof Fault ? error.message : words("failed") + error.name);
    } finally {
      $("pack").disabled = false;
      $("progress").textContent = "";
    }
  });
  $("print").addEventListener("click", () => window.print());
})();
