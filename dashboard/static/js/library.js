// The model library by keyboard: J and K go from card to card, F to the search. In the packs page one tick takes all.

const links = [...document.querySelectorAll(".model h3 a")];

document.addEventListener("desk:key", (event) => {
  const { code } = event.detail;
  if ((code === "KeyJ" || code === "KeyK") && links.length) {
    const at = links.indexOf(document.activeElement);
    const next = code === "KeyJ" ? Math.min(links.length - 1, at + 1) : Math.max(0, at - 1);
    links[next].focus();
    links[next].closest(".model").scrollIntoView({ block: "nearest" });
    event.preventDefault();
  } else if (code === "KeyF") {
    const search = document.querySelector("#library-filters input[type=search]");
    if (search) { search.focus(); event.preventDefault(); }
  }
});

const ticks = [...document.querySelectorAll("input[name=model]")];
const count = document.getElementById("chosen");

function counted() {
  if (count) count.textContent = String(ticks.filter((tick) => tick.checked).length);
}
for (const all of document.querySelectorAll("input[data-all]")) {
  const own = [...all.closest("fieldset").querySelectorAll("input[name=model]")];
  all.addEventListener("change", () => { for (const tick of own) tick.checked = all.checked; counted(); });
}
for (const tick of ticks) tick.addEventListener("change", counted);
counted();
