"use strict";

// Fills a passphrase or token into the snippets, quoted as each format requires. The value stays in this page.

const field = document.getElementById("secret");

const APOSTROPHES = /['\u2018\u2019\u201a\u201b]/g;

// Each function returns the quoted value. If a format cannot hold the value, the function throws an error with the reason.
const QUOTING = {
  url: (value) =>
    encodeURIComponent(value).replace(/[!'()*]/g, (each) => "%" + each.charCodeAt(0).toString(16).toUpperCase()),

  // The placeholder is a whole word of the command.
  sh: (value) => (/^[\w@%+=:,./-]+$/.test(value) ? value : "'" + value.replaceAll("'", `'"'"'`) + "'"),

  // The placeholder is inside of apostrophes. PowerShell treats typographic single quotation marks as apostrophes.
  powershell: (value) => value.replace(APOSTROPHES, (each) => each + each),

  // The placeholder is inside of quotation marks, in a command `set "NAME=VALUE"`.
  cmd: (value) => {
    if (/["%]/.test(value)) throw new Error("The Command Prompt cannot reliably set a value with a quotation mark or a percent sign. Use PowerShell.");
    return value;
  },

  // The placeholder is inside of quotation marks. A JSON string is also a TOML string, except for the character DEL.
  toml: (value) => JSON.stringify(value).slice(1, -1).replaceAll("\x7f", "\\u007f"),

  ini: (value) => {
    if (value !== value.trim()) throw new Error("A .pypirc cannot hold a value with spaces at its start or end. Use environment variables.");
    return value;
  },

  netrc: (value) => {
    if (/[\s"\\]/.test(value) || value.startsWith("#")) {
      throw new Error("Not every program reads a netrc with spaces, quotation marks or backslashes in a value, or with # at its start. Use environment variables or a URL.");
    }
    return value;
  },
};

if (field) {
  const places = [...document.querySelectorAll(".secret-place")];
  for (const place of places) place.dataset.placeholder = place.textContent;

  function fill() {
    for (const snippet of document.querySelectorAll(".snippet")) {
      const problem = snippet.querySelector(".field-error");
      problem.hidden = true;
      for (const place of snippet.querySelectorAll(".secret-place")) {
        let text = place.dataset.placeholder;
        try {
          if (field.value) text = QUOTING[place.dataset.quoting](field.value);
        } catch (error) {
          problem.textContent = error.message;
          problem.hidden = false;
        }
        place.textContent = text;
        place.classList.toggle("filled", text !== place.dataset.placeholder);
      }
    }
  }

  const button = document.getElementById("show-secret");
  button.addEventListener("click", () => {
    const masked = field.classList.toggle("masked");
    document.body.classList.toggle("secrets-shown", !masked);
    button.setAttribute("aria-pressed", String(!masked));
  });
  field.addEventListener("input", fill);
  // Browsers restore the values of fields when the user returns to the page in the history.
  addEventListener("pagehide", () => {
    field.value = "";
    fill();
  });
  field.value = "";
  document.getElementById("secret-field").hidden = false;
}
