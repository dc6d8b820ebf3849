// A filled list is entered a few lines at a time: the page asks again until none is left.
const place = document.getElementById("return");

async function enter(form) {
  const button = form.querySelector("button");
  button.disabled = true;
  for (;;) {
    const answer = await fetch(form.action, {
      method: "POST", body: new FormData(form), credentials: "same-origin", headers: { "X-Fragment": "1" },
    });
    // Signed out or interrupted: the page itself says what to do; what was entered stays entered.
    if (!answer.ok || answer.redirected) { location.reload(); return; }
    place.innerHTML = await answer.text();
    const again = document.getElementById("apply");
    if (!again) return;
    form = again;
    form.querySelector("button").disabled = true;
  }
}

place?.addEventListener("submit", (event) => {
  if (event.target.id !== "apply") return;
  event.preventDefault();
  enter(event.target);
});
