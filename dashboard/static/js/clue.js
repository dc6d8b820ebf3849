// One clue: neighbours in the list it was opened from, keys for its moves.
const number = decodeURIComponent(location.pathname.split("/")[2] || "");
let queue = null;
try { queue = JSON.parse(sessionStorage.getItem("queue")); } catch { /* opened on its own */ }
const at = queue ? queue.numbers.indexOf(number) : -1;

if (at >= 0) {
  const place = document.getElementById("place");
  place.querySelector("b").textContent = `${at + 1} / ${queue.numbers.length}`;
  place.hidden = false;
  document.getElementById("back").href = queue.address;
}

function start(move) {
  const button = document.querySelector(`.moves [data-move="${CSS.escape(move)}"]`);
  if (!button) return;
  const details = button.closest("details");
  if (!details) { button.focus(); button.click(); return; }
  details.open = true;
  details.querySelector("select, input:not([type=hidden]), textarea")?.focus();
}

document.addEventListener("desk:move", (event) => start(event.detail));
document.addEventListener("desk:key", (event) => {
  const { code } = event.detail;
  if (code === "KeyJ" || code === "KeyK") {
    const next = queue?.numbers[at + (code === "KeyJ" ? 1 : -1)];
    if (at >= 0 && next) { event.preventDefault(); location.assign(`/clues/${encodeURIComponent(next)}`); }
  } else {
    const line = document.querySelector(`#palette [data-key=${CSS.escape(code)}]`);
    if (line) { event.preventDefault(); start(line.dataset.do); }
  }
});
