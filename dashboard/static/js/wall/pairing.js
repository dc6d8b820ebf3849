// A player without a screen: asks whether somebody has typed the code that it shows.
const said = document.getElementById("said");
let wait = 2000;

async function ask() {
  try {
    const answer = await fetch(document.body.dataset.pairing, { method: "POST" });
    if (answer.status === 200) { location.replace(document.body.dataset.screen); return; }
    if (answer.status === 410) { location.reload(); return; }
    wait = 2000;
    said.hidden = true;
  } catch {
    said.hidden = false;
    wait = Math.min(wait * 1.5, 15000);
  }
  setTimeout(ask, wait + Math.random() * 500);
}

setTimeout(ask, wait);
