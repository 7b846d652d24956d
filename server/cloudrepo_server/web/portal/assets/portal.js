"use strict";

// Every page works without this script. It adds copy buttons, shows that an upload is running, and closes menus.

const COPIED_MILLISECONDS = 2000;
// Screen readers read out its text whenever it changes.
const announcement = document.getElementById("announcement");

// Browsers offer the clipboard only to pages that were loaded over https or from this machine.
async function copy(text) {
  if (navigator.clipboard) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      // Copy a selection instead.
    }
  }
  const focused = document.activeElement;
  const area = document.createElement("textarea");
  area.value = text;
  area.className = "visually-hidden";
  document.body.append(area);
  area.select();
  const copied = document.execCommand("copy");
  area.remove();
  focused.focus();
  return copied;
}

for (const button of document.querySelectorAll("button.copy")) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    const source = button.dataset.copyFrom;
    const shown = source ? document.getElementById(source) : button.parentElement.querySelector("code");
    const copied = await copy(source ? shown.textContent : button.dataset.copy);
    if (!copied) getSelection().selectAllChildren(shown);
    button.textContent = copied ? "Copied" : "Selected";
    announcement.textContent = copied ? "Copied" : "Not copied, but selected. Press Ctrl+C or Command+C to copy.";
    setTimeout(() => {
      button.textContent = "Copy";
      announcement.textContent = "";
    }, COPIED_MILLISECONDS);
  });
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

// If there are too many suggestions for the page, the field requests those that match the typed text.
const SUGGESTION_MILLISECONDS = 150;
for (const list of document.querySelectorAll("datalist[data-suggestions]")) {
  const field = document.querySelector(`input[list="${list.id}"]`);
  let timer = 0;
  let newest = 0;
  field.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(async () => {
      const request = ++newest;
      const query = new URLSearchParams({ q: field.value });
      try {
        const response = await fetch(`${list.dataset.suggestions}?${query}`);
        if (!response.ok || request !== newest) return;
        const { suggestions } = await response.json();
        list.replaceChildren(...suggestions.map((name) => new Option("", name)));
      } catch {
        // Keep the names that are in the page.
      }
    }, SUGGESTION_MILLISECONDS);
  });
}

// Show only the fields that apply to the chosen kind, and those that are filled in.
const kind = document.getElementById("kind");
const fieldsOfKinds = document.querySelectorAll("[data-kinds]");
function showFieldsOfKind() {
  for (const field of fieldsOfKinds) {
    const applies = field.dataset.kinds.split(" ").includes(kind.value);
    field.hidden = !applies && field.querySelector("input, textarea").value === "";
  }
  const hidden = [...fieldsOfKinds].filter((field) => field.hidden);
  fieldsOfKinds[0].closest("fieldset").hidden = hidden.length === fieldsOfKinds.length;
}
if (kind && fieldsOfKinds.length) {
  kind.addEventListener("change", showFieldsOfKind);
  showFieldsOfKind();
}

// Close the menu at a click elsewhere, and at the Escape key.
const menu = document.querySelector("details.menu");
if (menu) {
  document.addEventListener("click", (event) => {
    if (!menu.contains(event.target)) menu.open = false;
  });
  menu.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !menu.open) return;
    menu.open = false;
    menu.querySelector("summary").focus();
  });
}

// A page restored from the back/forward cache would still show its busy button.
addEventListener("pageshow", (event) => {
  if (event.persisted) location.reload();
});
