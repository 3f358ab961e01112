"use strict";

// The token of a mailed link travels in the fragment, which no server and no access log sees. It is put into the form,
// and leaves the address bar. Nothing is sent before the button is pressed: programs that open every link of a mail use
// nothing up. Without this script people paste the link instead.
const field = document.getElementById("token");
const kept = document.querySelector("main").dataset.keep;
let token = new URLSearchParams(location.hash.slice(1)).get("token");

// Whoever has to sign in first comes back without the fragment.
if (kept && token) sessionStorage.setItem(kept, token);
if (kept && !token) token = sessionStorage.getItem(kept);

// What was sent already and refused stands in the field.
token ||= field?.value;

if (field && token) {
  field.value = token;
  field.closest(".field").hidden = true;
  history.replaceState(null, "", location.pathname + location.search);
  field.form.addEventListener("submit", () => kept && sessionStorage.removeItem(kept));
  document.querySelector("input:not([type=hidden]):not(#token)")?.focus();
}
