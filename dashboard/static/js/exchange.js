// The ways in: a receipt is printed, a disc's feeds follow its agency.
document.addEventListener("click", (event) => {
  if (event.target.closest("[data-act=print]")) window.print();
});

const form = document.getElementById("disc");
if (form) {
  const groups = [...form.feed.querySelectorAll("optgroup")];
  const narrow = () => {
    for (const group of groups) {
      const own = group.dataset.agency === form.agency.value;
      group.hidden = group.disabled = !own;
    }
    if (form.feed.selectedOptions[0]?.parentElement.dataset.agency !== form.agency.value) {
      form.feed.value = groups.find((g) => !g.hidden)?.querySelector("option")?.value ?? "";
    }
  };
  form.agency.addEventListener("change", narrow);
  narrow();
}
