// Manual entry: complaints at the field, the count of what is missing beside the button, work kept on this machine.
const form = document.getElementById("entry");
const left = document.getElementById("left");
const restored = document.getElementById("restored");
const required = [...form.querySelectorAll("[required]")];
const words = (id) => document.getElementById(id).innerHTML;

function complaint(field) {
  if (field.required && !field.value.trim()) return words("words-required");
  if (field.validity.rangeUnderflow) return words("words-early");
  if (field.validity.rangeOverflow) return words("words-future");
  return field.validationMessage;
}

function judge(field) {
  const text = complaint(field);
  field.toggleAttribute("aria-invalid", Boolean(text));
  if (text) field.setAttribute("aria-invalid", "true");
  document.getElementById(`e-${field.name}`).textContent = text;
  return !text;
}

function count() {
  const missing = required.filter((f) => !f.value.trim()).length;
  left.textContent = missing ? left.dataset.one.replace("#", missing) : left.dataset.kept;
}

form.addEventListener("input", (event) => { if (event.target.hasAttribute("aria-invalid")) judge(event.target); count(); });
form.addEventListener("focusout", (event) => { if (event.target.required && event.target.value) judge(event.target); });
form.addEventListener("submit", (event) => {
  const wrong = required.filter((field) => !judge(field));
  if (wrong.length) { event.preventDefault(); wrong[0].focus(); }
});
if (form.dataset.restored) restored.hidden = false;
document.addEventListener("desk:act", (event) => {
  if (event.detail !== "discard") return;
  form.dispatchEvent(new CustomEvent("draft:discard"));
  form.reset();
  restored.hidden = true;
  count();
});
count();
