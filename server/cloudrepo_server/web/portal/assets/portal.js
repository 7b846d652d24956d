"use strict";

// Everything works without this file; it saves some typing and waiting.

const said = document.getElementById("said");

if (navigator.clipboard) {
  for (const button of document.querySelectorAll("button.copy")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      const source = button.dataset.copyFrom;
      const text = source ? document.getElementById(source).textContent : button.dataset.copy;
      let word = "Copied";
      try {
        await navigator.clipboard.writeText(text);
      } catch {
        word = "Not copied";
      }
      button.textContent = word;
      said.textContent = word;
      setTimeout(() => {
        button.textContent = "Copy";
        said.textContent = "";
      }, 2000);
    });
  }
}

for (const form of document.querySelectorAll("form[data-busy]")) {
  form.addEventListener("submit", () => {
    const button = form.querySelector("button[type=submit]");
    said.textContent = form.dataset.busy;
    // Not before the form is on its way: a disabled button does not send it.
    setTimeout(() => {
      button.disabled = true;
      button.textContent = form.dataset.busy;
    });
  });
}

// A page that comes back from the browser's memory is not busy any more.
addEventListener("pageshow", (event) => {
  if (event.persisted) location.reload();
});
