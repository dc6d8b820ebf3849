// The sentence follows what is typed: the server says it. A trial that is under way is looked for until it has a result.

const form = document.getElementById("studio-form");
const place = document.getElementById("sentence");
let waits = 0, asked = 0;

async function say() {
  const mine = ++asked;
  let answer;
  try {
    answer = await fetch(form.dataset.sentence, { method: "POST", body: new FormData(form), credentials: "same-origin", headers: { "X-Fragment": "1" } });
  } catch { return; }
  if (answer.status === 401) { document.dispatchEvent(new Event("session-ended")); return; }
  if (!answer.ok || answer.redirected || mine !== asked) return;
  place.innerHTML = await answer.text();
}

if (form && place) {
  form.addEventListener("input", () => { clearTimeout(waits); waits = setTimeout(say, 350); });
  form.addEventListener("change", () => { clearTimeout(waits); waits = setTimeout(say, 50); });
}

if (document.querySelector("[data-waiting]")) setTimeout(() => location.reload(), 3000);
