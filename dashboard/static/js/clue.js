// One clue: neighbours in the list it was opened from, keys for its moves.
import { keep, kept } from "./place.js";

const number = decodeURIComponent(location.pathname.split("/")[2] || "");
const queue = kept();
const at = queue ? queue.numbers.indexOf(number) : -1;

if (at >= 0) {
  const place = document.getElementById("place");
  place.querySelector("b").textContent = `${queue.first + at} / ${queue.total}`;
  place.hidden = false;
  document.getElementById("back").href = queue.address;
}

/** To the neighbour in the list; past the page's end the next page is fetched and its first clue opened. */
async function go(by) {
  let to = queue.numbers[at + by];
  const address = by > 0 ? queue.next : queue.prev;
  if (!to && address) {
    const answer = await fetch(address, { credentials: "same-origin", headers: { "X-Fragment": "1" } });
    if (!answer.ok || answer.redirected) { location.assign(address); return; }
    const page = document.createElement("template");
    page.innerHTML = await answer.text();
    const { pathname, search } = new URL(address);
    to = keep(page.content, pathname + search)?.numbers.at(by > 0 ? 0 : -1);
  }
  if (to) location.assign(`/clues/${encodeURIComponent(to)}`);
}

function start(move) {
  const button = document.querySelector(`:is(.moves, .inquiries) [data-move="${CSS.escape(move)}"]`);
  if (!button) return;
  const details = button.closest("details");
  if (!details) { button.focus(); button.click(); return; }
  details.open = true;
  details.querySelector("select, input:not([type=hidden]), textarea")?.focus();
}

// What only one choice asks for is shown, and required, with that choice.
for (const choice of document.querySelectorAll("select[data-reveals]")) {
  const follow = () => {
    for (const field of choice.form.querySelectorAll("[data-shown-for]")) {
      const asked = field.dataset.shownFor === choice.value;
      field.hidden = !asked;
      const input = field.querySelector("select");
      input.required = asked;
      if (!asked) input.value = "";
    }
  };
  choice.addEventListener("change", follow);
  choice.form.addEventListener("draft:restored", follow);
  follow();
}

document.addEventListener("desk:move", (event) => start(event.detail));
document.addEventListener("desk:key", (event) => {
  const { code } = event.detail;
  if (code === "KeyJ" || code === "KeyK") {
    if (at < 0) return;
    event.preventDefault();
    go(code === "KeyJ" ? 1 : -1);
  } else {
    const line = document.querySelector(`#palette [data-key=${CSS.escape(code)}]`);
    if (line) { event.preventDefault(); start(line.dataset.do); }
  }
});
