"use strict";

// A second click sends nothing a second time: it would be told that the address is taken, or the link used, by the first.
addEventListener("submit", (event) => {
  const form = event.target;
  if (form.dataset.sent) event.preventDefault();
  form.dataset.sent = "yes";
});

// Whoever comes back to a page may send it again.
addEventListener("pageshow", () => {
  for (const form of document.forms) delete form.dataset.sent;
});
