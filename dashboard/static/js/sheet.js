// The one sheet of a clue: its print button.
document.querySelector('[data-act="print"]')?.addEventListener("click", () => window.print());
