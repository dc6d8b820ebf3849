// Who is who: J and K go to the next and the last pair, E to the grounds; the verdicts are the form's own buttons.
document.addEventListener("desk:key", (event) => {
  const { code } = event.detail;
  if (code === "KeyE") {
    const grounds = document.querySelector("textarea[name=reason]");
    if (grounds) { event.preventDefault(); grounds.focus(); }
    return;
  }
  const link = document.querySelector(`#palette a[data-key="${CSS.escape(code)}"]`);
  if (link) { event.preventDefault(); location.assign(link.href); }
});
