"use strict";

// The token travels in the fragment, which no server and no access log sees. Nothing is sent before the button is
// pressed: programs that open every link of a mail use nothing up.
const pages = {
  "/auth/email/verify": {
    title: "Confirm your e-mail address",
    about: "Confirm that this address belongs to your account.",
    send: "Confirm address",
    done: "Confirmed. You can close this page.",
  },
  "/auth/password/reset": {
    title: "Set a password",
    about: "You are signed out everywhere, and sign in with the new password.",
    send: "Set password",
    done: "Done. You can sign in with the new password now.",
    password: true,
  },
  "/auth/magic-link/redeem": {
    title: "Sign in",
    about: "This works in the browser in which you asked for the link.",
    send: "Sign in",
    done: "Signed in. An application sets mail.magic_link_url to a page of its own, and gets these tokens there:",
  },
  "/auth/invitations/accept": {
    title: "Join an organization",
    about: "This works in a browser that is signed in with the address to which the mail was sent.",
    send: "Join",
    done: "You belong to the organization now:",
  },
};

const found = Object.entries(pages).find(([path]) => location.pathname.endsWith(path));
const token = new URLSearchParams(location.hash.slice(1)).get("token");
const element = (id) => document.getElementById(id);
const form = element("form");

function show(problem) {
  for (const error of problem.errors ?? []) {
    if (error.pointer === "#/new_password") {
      element("password-fault").textContent = error.detail;
      return;
    }
  }
  element("fault").textContent = problem.detail ?? "Something went wrong. Try again.";
}

// The page lies where its answer goes, whichever tenant's path is before it.
async function send(event, page) {
  event.preventDefault();
  element("fault").textContent = element("password-fault").textContent = "";
  const button = element("send");
  button.disabled = true;
  try {
    const body = page.password ? { token, new_password: form.password.value } : { token };
    const answer = await fetch(location.pathname, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    });
    if (answer.ok) {
      history.replaceState(null, "", location.pathname);
      form.hidden = true;
      element("done").textContent = page.done;
      element("done").hidden = false;
      if (answer.status === 200) {
        element("answer").textContent = JSON.stringify(await answer.json(), null, 2);
        element("answer").hidden = false;
      }
    } else {
      show(await answer.json());
    }
  } catch {
    element("fault").textContent = "The server cannot be reached. Try again.";
  } finally {
    button.disabled = false;
  }
}

if (found && token) {
  const page = found[1];
  document.title = element("title").textContent = page.title;
  element("about").textContent = page.about;
  element("send").textContent = page.send;
  element("password-part").hidden = !page.password;
  form.hidden = false;
  form.addEventListener("submit", (event) => send(event, page));
} else {
  element("about").textContent = "This page is opened by the link in a mail.";
}
