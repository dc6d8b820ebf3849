// The page of a run that is under way asks how far it is, and shows what came of it when it is over.

const live = document.getElementById("live-part");

async function news() {
  let answer;
  try {
    answer = await fetch(live.dataset.from, { credentials: "same-origin", headers: { "X-Fragment": "1" } });
  } catch { setTimeout(news, 3000); return; }
  if (answer.status === 401) { document.dispatchEvent(new Event("session-ended")); return; }
  if (!answer.ok || answer.redirected) { setTimeout(news, 3000); return; }
  live.innerHTML = await answer.text();
  if (document.getElementById("progress").dataset.moving) setTimeout(news, 1000);
  else location.replace(location.pathname);
}

if (live) setTimeout(news, 800);
