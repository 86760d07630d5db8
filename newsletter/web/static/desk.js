// What the pages of the desk add where scripts run. Everything works without them.
"use strict";

// A button that copies the text of the element that its data-copy names.
const showCopyButtons = () => document.querySelectorAll("button[data-copy][hidden]").forEach(button => { button.hidden = !navigator.clipboard; });
document.addEventListener("DOMContentLoaded", showCopyButtons);
document.addEventListener("htmx:afterSwap", showCopyButtons);
document.addEventListener("click", async event => {
  const button = event.target.closest("button[data-copy]");
  if (!button) return;
  await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
  button.textContent = "Copied";
});
