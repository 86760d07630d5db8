// What the pages of the desk add where scripts run. Everything works without them.
"use strict";

// A button that copies the text of the element that its data-copy names.
const showCopyButtons = () => {
  for (const button of document.querySelectorAll("button[data-copy]")) button.hidden = !navigator.clipboard;
};
document.addEventListener("DOMContentLoaded", showCopyButtons);
document.addEventListener("htmx:afterSwap", showCopyButtons);
document.addEventListener("click", event => {
  const button = event.target.closest("button[data-copy]");
  const copied = button && navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
  copied?.then(() => { button.textContent = "Copied"; }, () => { button.textContent = "Not copied"; });
});

// A part that the page asks for again takes no button away between its press and its release: the next answer will do.
let pressed = null, released;
const release = () => {
  clearTimeout(released);
  released = setTimeout(() => { pressed = null; }, 300); // ms; on a touch screen the click comes after the release
};
const press = event => {
  clearTimeout(released); // of the press before this one
  pressed = event.target;
};
for (const type of ["pointerdown", "keydown"]) document.addEventListener(type, press, true);
for (const type of ["pointerup", "pointercancel", "keyup"]) document.addEventListener(type, release, true);
addEventListener("blur", release);
document.addEventListener("htmx:beforeSwap", event => {
  if (event.detail.target.contains(pressed)) event.detail.shouldSwap = false;
});

// A time zone that nobody has chosen yet is the browser's.
document.addEventListener("DOMContentLoaded", () => {
  const field = document.querySelector("[data-own-zone]");
  if (field?.value === "UTC") field.value = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
});
