"use strict";

// Adds new requests to the request log as they complete. Without this script, reload the page.

const MAX_ROWS = 200;
const RETRY_MILLISECONDS = 5000;

const log = document.getElementById("log");

if (log && log.dataset.live) {
  const card = log.closest(".log");
  const bar = document.getElementById("live");
  const state = bar.querySelector(".live-state");
  const button = bar.querySelector("button");
  const summary = document.getElementById("log-summary");
  const address = new URL(log.dataset.live, location.href);
  let source = null;
  let retry = null;
  let paused = false;

  function show(text, live) {
    state.textContent = text;
    bar.classList.toggle("on", live);
  }

  function stop() {
    clearTimeout(retry);
    if (source) source.close();
    source = null;
  }

  function start() {
    stop();
    if (paused || document.hidden) return;
    source = new EventSource(address);
    source.addEventListener("open", () => show("Live", true));
    source.addEventListener("rows", (event) => {
      rememberPosition(event);
      const { html, left_out: leftOut } = JSON.parse(event.data);
      add(html);
      if (leftOut) document.getElementById("log-left-out").hidden = false;
    });
    source.addEventListener("end", (event) => {
      rememberPosition(event);
      const { reason } = JSON.parse(event.data);
      stop();
      if (reason === "signed out") {
        show("You are signed out. Reload the page to sign in.", false);
        button.hidden = true;
      } else {
        retryLater();
      }
    });
    source.addEventListener("error", () => {
      // The browser itself reconnects, unless the response was an error.
      if (source && source.readyState === EventSource.CLOSED) retryLater();
      else show("Connecting…", false);
    });
  }

  function retryLater() {
    stop();
    show("Not live. Trying again…", false);
    retry = setTimeout(start, RETRY_MILLISECONDS);
  }

  function rememberPosition(event) {
    if (event.lastEventId) address.searchParams.set("after", event.lastEventId);
  }

  function add(html) {
    // The server has escaped every value, and the page's policy forbids scripts in the HTML.
    const template = document.createElement("template");
    template.innerHTML = html;
    for (const row of template.content.querySelectorAll("tr")) {
      const existing = document.getElementById(row.id);
      if (existing) existing.remove();
      row.classList.add("new");
    }
    log.prepend(template.content);
    while (log.rows.length > MAX_ROWS) log.lastElementChild.remove();
    card.classList.toggle("is-empty", log.rows.length === 0);
    // The count is known only if the page shows all requests.
    const count = log.rows.length;
    if (summary.dataset.count && count < MAX_ROWS) {
      summary.textContent = `${count} request${count === 1 ? "" : "s"}`;
    }
  }

  button.addEventListener("click", () => {
    paused = !paused;
    button.setAttribute("aria-pressed", String(paused));
    if (paused) {
      stop();
      show("Paused", false);
    } else {
      show("Connecting…", false);
      start();
    }
  });
  // A browser opens few connections to one server, so hidden pages close their connection.
  document.addEventListener("visibilitychange", () => (document.hidden ? stop() : start()));
  addEventListener("pagehide", stop);

  bar.hidden = false;
  show("Connecting…", false);
  start();
}
