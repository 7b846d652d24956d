"use strict";

// Every page works without this script. It adds copy buttons, and shows that an upload is running.

const COPIED_MILLISECONDS = 2000;
// Screen readers read out its text whenever it changes.
const announcement = document.getElementById("announcement");

if (navigator.clipboard) {
  for (const button of document.querySelectorAll("button.copy")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      const source = button.dataset.copyFrom;
      const text = source ? document.getElementById(source).textContent : button.dataset.copy;
      let result = "Copied";
      try {
        await navigator.clipboard.writeText(text);
      } catch {
        result = "Not copied";
      }
      button.textContent = result;
      announcement.textContent = result;
      setTimeout(() => {
        button.textContent = "Copy";
        announcement.textContent = "";
      }, COPIED_MILLISECONDS);
    });
  }
}

for (const form of document.querySelectorAll("form[data-busy]")) {
  form.addEventListener("submit", () => {
    const button = form.querySelector("button[type=submit]");
    announcement.textContent = form.dataset.busy;
    // Disable the button only after the browser has submitted the form.
    setTimeout(() => {
      button.disabled = true;
      button.textContent = form.dataset.busy;
    });
  });
}

// A page restored from the back/forward cache would still show its busy button.
addEventListener("pageshow", (event) => {
  if (event.persisted) location.reload();
});
