// Manual import: a file that is too large is not sent, progress comes by itself, columns are chosen by keyboard.

// ---- upload ---------------------------------------------------------------------------------------

const upload = document.getElementById("upload");
if (upload) {
  const drop = document.getElementById("drop");
  const input = upload.elements.file;
  const picked = document.getElementById("picked");
  const large = document.getElementById("too-large");
  const looked = () => {
    const file = input.files[0];
    picked.hidden = !file;
    picked.textContent = file ? `${file.name}　${(file.size / 1048576).toFixed(1)} MB` : "";
    large.hidden = !file || file.size <= Number(upload.dataset.most);
    upload.querySelector("button.primary").disabled = !large.hidden;
  };
  input.addEventListener("change", looked);
  for (const kind of ["dragover", "dragleave", "drop"]) {
    drop.addEventListener(kind, (event) => {
      event.preventDefault();
      drop.classList.toggle("over", kind === "dragover");
      if (kind === "drop" && event.dataTransfer.files.length) { input.files = event.dataTransfer.files; looked(); }
    });
  }
  // A second click while the first is on its way would send the file twice.
  upload.addEventListener("submit", () => { upload.querySelector("button.primary").disabled = true; });
  addEventListener("pageshow", looked);
}
document.getElementById("blank")?.addEventListener("submit", (event) => {
  event.preventDefault();
  location.assign(event.target.querySelector("select").value);
});

// ---- progress -------------------------------------------------------------------------------------

const live = document.getElementById("live-part");
async function news() {
  let answer;
  try {
    answer = await fetch(live.dataset.from, { credentials: "same-origin", headers: { "X-Fragment": "1" } });
  } catch { setTimeout(news, 3000); return; }
  if (answer.status === 401) { document.dispatchEvent(new Event("session-ended")); return; }
  if (!answer.ok || answer.redirected) { setTimeout(news, 3000); return; }
  const before = document.getElementById("progress").dataset.code;
  live.innerHTML = await answer.text();
  const now = document.getElementById("progress").dataset;
  const waiting = new Set(["queued", "handed", "received", "reading"]);
  if (now.moving && (now.code === before || (waiting.has(now.code) && waiting.has(before)))) setTimeout(news, 1000);
  else location.replace(location.pathname);
}
if (live) setTimeout(news, 600);

// ---- columns --------------------------------------------------------------------------------------

const form = document.getElementById("columns");
if (form) {
  const choices = [...form.querySelectorAll("select")];
  const first = choices.map((c) => c.value);
  const table = form.querySelector(".mapping");
  const rest = document.getElementById("rest-not-taken");
  const note = document.getElementById("changed-note");
  const recheck = document.getElementById("recheck");
  const go = document.getElementById("go");
  const looked = () => {
    const changed = choices.some((c, i) => c.value !== first[i]);
    const open = choices.filter((c) => !c.value);
    const taken = choices.map((c) => c.value).filter((v) => v && v !== "-");
    for (const choice of choices) {
      const twice = choice.value && choice.value !== "-" && taken.filter((v) => v === choice.value).length > 1;
      choice.toggleAttribute("aria-invalid", !choice.value || Boolean(twice));
      if (!choice.value || twice) choice.setAttribute("aria-invalid", "true");
      choice.closest("tr").classList.toggle("open", !choice.value);
    }
    rest.hidden = open.length === 0;
    note.hidden = !changed;
    recheck.classList.toggle("primary", changed || !go);
    if (go) { go.disabled = changed; go.classList.toggle("primary", !changed); }
  };
  form.addEventListener("change", looked);
  rest.addEventListener("click", () => {
    for (const choice of choices) if (!choice.value) choice.value = "-";
    looked();
    recheck.focus();
  });
  document.getElementById("only-doubtful").addEventListener("change", (event) => table.classList.toggle("doubtful", event.target.checked));
  // The first column that waits for a person.
  choices.find((c) => !c.value)?.focus({ preventScroll: true });
  addEventListener("pageshow", looked);
}
for (const once of document.querySelectorAll("#start")) {
  once.addEventListener("submit", (event) => {
    if (once.dataset.sent) event.preventDefault();
    once.dataset.sent = "1";
  });
}
document.addEventListener("desk:key", (event) => {
  const link = document.querySelector(`#palette a[data-key="${event.detail.code}"]`);
  if (link && !event.detail.shift) { event.preventDefault(); link.click(); }
});
