"use strict";

// The token travels in the fragment, which no server and no access log sees.
const token = new URLSearchParams(location.hash.slice(1)).get("token");
const form = document.getElementById("setup");
const fault = document.getElementById("fault");

function clear() {
  for (const place of document.querySelectorAll(".fault[id]")) place.textContent = "";
}

function show(problem) {
  let shown = false;
  for (const error of problem.errors ?? []) {
    const place = document.getElementById(error.pointer.slice(2) + "-fault");
    if (place) {
      place.textContent = error.detail;
      shown = true;
    }
  }
  if (!shown) fault.textContent = problem.detail ?? "Something went wrong. Try again.";
}

async function send(event) {
  event.preventDefault();
  clear();
  const button = form.querySelector("button");
  button.disabled = true;
  try {
    const answer = await fetch("/auth/setup", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ token, email: form.email.value, password: form.password.value }),
    });
    if (answer.status === 201) {
      history.replaceState(null, "", location.pathname);
      form.hidden = true;
      document.getElementById("done").hidden = false;
    } else {
      show(await answer.json());
    }
  } catch {
    fault.textContent = "The server cannot be reached. Is it still running?";
  } finally {
    button.disabled = false;
  }
}

if (token) {
  form.addEventListener("submit", send);
} else {
  form.hidden = true;
  document.querySelector("main").append("This page is opened by the link that the server prints at its start.");
}
