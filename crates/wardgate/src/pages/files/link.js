"use strict";

// The token of a mailed link travels in the fragment, which no server and no access log sees. It is put into the form,
// and leaves the address bar. Nothing is sent before the button is pressed: programs that open every link of a mail use
// nothing up. Without this script people paste the link instead.
const field = document.getElementById("token");
const kept = document.querySelector("main").dataset.keep;
let token = new URLSearchParams(location.hash.slice(1)).get("token");

// Whoever had to sign in first comes back without the fragment.
if (kept) token ||= sessionStorage.getItem(kept);
if (location.hash) history.replaceState(null, "", location.pathname + location.search);

// What was sent already and refused stands in the field.
token ||= field?.value;
if (kept && token) sessionStorage.setItem(kept, token);

if (field && token) {
  field.value = token;
  field.closest(".field").hidden = true;
  field.form.addEventListener("submit", () => kept && sessionStorage.removeItem(kept));
  document.querySelector("input:not([type=hidden]):not(#token)")?.focus();
}
