// The reader's place in the queue: the page of the list that was last seen, kept for this tab.
export function kept() {
  try { return JSON.parse(sessionStorage.getItem("queue")); } catch { return null; /* opened on its own */ }
}

/** Keep the page of the list under `root` (a document, an element or a fragment) that stands at `address`. */
export function keep(root, address) {
  const numbers = [...root.querySelectorAll("tr[data-number]")].map((row) => row.dataset.number);
  if (!numbers.length) return null;
  const pager = root.querySelector(".pager");
  const link = (rel) => { const found = pager.querySelector(`a[rel=${rel}]`); return found ? new URL(found.getAttribute("href"), new URL(address, location.origin)).href : null; };
  const place = { numbers, address, first: Number(pager.dataset.first), total: Number(pager.dataset.total), next: link("next"), prev: link("prev") };
  try { sessionStorage.setItem("queue", JSON.stringify(place)); } catch { /* only the way back is lost */ }
  return place;
}
