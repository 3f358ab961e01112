// Walks every page of a development server in a headless Chromium: in both languages, light and dark, with JavaScript and
// without, with right and with wrong input. axe-core looks at each page; nothing it finds passes.
//
//     node pages.mjs ../../target/debug/wardgate
//
// SCREENSHOTS names a folder that gets a picture of each page. CHROMIUM names the browser, /usr/bin/chromium if it is not
// set. Ends with one line, `N passed, N failed`.

import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import assert from "node:assert/strict";
import axe from "axe-core";
import { chromium } from "playwright-core";

const PASSWORD = "violet anchor canyon drum";
const OTHER_PASSWORD = "granite willow ferry lamp";
const FLAGS = [
  "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync",
];

const binary = process.argv[2];
if (!binary) {
  console.error("usage: node pages.mjs PATH_TO_WARDGATE");
  process.exit(2);
}
const pictures = process.env.SCREENSHOTS;
if (pictures) mkdirSync(pictures, { recursive: true });

let passed = 0;
let failed = 0;

/** One named test; the next begins whatever becomes of it. */
async function test(name, body) {
  try {
    await body();
    passed += 1;
    console.log(`ok   ${name}`);
  } catch (error) {
    failed += 1;
    console.log(`FAIL ${name}\n${String(error?.stack ?? error).replace(/^/gm, "     ")}`);
  }
}

/** Asks again until there is an answer. */
async function until(what, ask) {
  for (let tries = 0; tries < 1200; tries += 1) {
    const answer = await ask();
    if (answer) return answer;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`never came: ${what}`);
}

async function start() {
  const data = mkdtempSync(join(tmpdir(), "wardgate-browser-"));
  const child = spawn(binary, ["serve", "--dev", "--json", "--listen", "127.0.0.1:0", "--data-dir", data], {
    // Eight walks at once are more than the limits let one person do; the limits have tests of their own.
    env: { ...process.env, WARDGATE_RATE_LIMIT__ENABLED: "false" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const log = [];
  child.stderr.on("data", (text) => log.push(text));
  const gone = new Promise((_, reject) => {
    child.once("exit", (code) => reject(new Error(`the server ended (${code}):\n${log.join("")}`)));
    child.once("error", reject);
  });
  gone.catch(() => {});
  const line = new Promise((resolve) => createInterface({ input: child.stdout }).once("line", resolve));
  const { listening } = JSON.parse(await Promise.race([line, gone]));
  const stop = async () => {
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGTERM");
    await ended;
    rmSync(data, { recursive: true, force: true });
  };
  return { base: listening, stop };
}

/** The newest link that was mailed to `address` and that `seen` has not. */
function mailedLink(base, address, seen) {
  return until(`a link for ${address}`, async () => {
    const html = await (await fetch(`${base}/dev/inbox`)).text();
    const mails = html.split("<article>").filter((mail) => mail.includes(`<p>to ${address}</p>`));
    const links = mails.flatMap((mail) => [...mail.matchAll(/<a href="([^"]+#token=[^"]+)"/g)].map((match) => match[1]));
    const fresh = links.find((link) => !seen.has(link));
    if (fresh) seen.add(fresh);
    return fresh;
  });
}

async function api(base, method, path, body, token) {
  const headers = { "content-type": "application/json", ...(token && { authorization: `Bearer ${token}` }) };
  const answer = await fetch(base + path, { method, headers, body: body && JSON.stringify(body) });
  const text = await answer.text();
  assert.ok(answer.ok, `${method} ${path}: ${answer.status} ${text}`);
  return text && JSON.parse(text);
}

/** A browser of one person, in one language and theme, with JavaScript or without. */
class Walk {
  constructor(base, context, name, mode) {
    Object.assign(this, { base, context, name, mode, seen: new Set(), email: `${name}@example.com` });
  }

  static async begin(browser, base, mode) {
    const name = `${mode.language}-${mode.theme}-${mode.script ? "script" : "plain"}`;
    const context = await browser.newContext({
      locale: mode.language === "de" ? "de-DE" : "en-GB",
      colorScheme: mode.theme,
      javaScriptEnabled: mode.script,
      viewport: mode.viewport ?? { width: 1100, height: 900 },
    });
    const walk = new Walk(base, context, name, mode);
    walk.page = await context.newPage();
    walk.page.setDefaultTimeout(15_000);
    walk.complaints = [];
    walk.page.on("console", (message) => {
      // A refused form is answered with its status, which the console calls an error.
      const isStatus = /status of 4\d\d/.test(message.text());
      if (message.type() === "error" && !isStatus) walk.complaints.push(message.text());
    });
    walk.page.on("pageerror", (error) => walk.complaints.push(String(error)));
    return walk;
  }

  async open(path) {
    return this.page.goto(this.base + path);
  }

  async fill(fields) {
    for (const [id, value] of Object.entries(fields)) await this.page.locator(`#${id}`).fill(value);
  }

  /** Presses the button of the form that goes to `action`, and waits for the page behind it. */
  async send(action) {
    const form = this.page.locator(`form[action^="${action}"]`).first();
    const isPage = (frame) => frame === this.page.mainFrame();
    await Promise.all([this.page.waitForEvent("framenavigated", isPage), form.locator("button").click()]);
    await this.page.waitForLoadState();
  }

  async at(path) {
    assert.equal(new URL(this.page.url()).pathname, path);
  }

  /** What holds for every page. */
  async look(what) {
    const { page, mode } = this;
    assert.equal(await page.locator("html").getAttribute("lang"), mode.language, `${what}: language`);
    assert.equal(await page.locator("h1").count(), 1, `${what}: one heading`);
    if (pictures) await page.screenshot({ path: join(pictures, `${what}.${this.name}.png`), fullPage: true });
    assert.deepEqual(this.complaints, [], `${what}: the console`);
    if (mode.script) await this.examine(what);
    const words = await page.locator("body").innerText();
    const raw = words.match(/\b(?:error|fault|done|lead|label|hint|link)-[a-z_-]+\b/);
    assert.equal(raw, null, `${what}: a word that is missing`);
  }

  /** What takes a script to see: whether it fits the window, and what axe-core finds. */
  async examine(what) {
    const { page } = this;
    const width = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    assert.ok(width <= 0, `${what}: wider than the window`);
    await page.evaluate(axe.source);
    const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
    const told = violations.flatMap((found) => found.nodes.map((node) => `${found.id}: ${node.html} ${node.failureSummary}`));
    assert.deepEqual(told, [], `${what}: axe-core`);
  }

  /** The field is marked as wrong, and what is wrong is what a screen reader reads with it. */
  async isWrong(id) {
    const field = this.page.locator(`#${id}`);
    assert.equal(await field.getAttribute("aria-invalid"), "true", `${id} is marked`);
    const described = (await field.getAttribute("aria-describedby")).split(" ");
    assert.ok(described.includes(`${id}-fault`), `${id} is described by its fault`);
    assert.ok((await this.page.locator(`#${id}-fault`).innerText()).length > 5);
    assert.equal(await this.page.locator("[autofocus]").getAttribute("id"), id, "and is where one goes on");
  }

  /** Opens a mailed link. Without JavaScript the person pastes it. */
  async follow(link) {
    await this.page.goto(link);
    const token = this.page.locator("#token");
    if (this.mode.script) {
      assert.ok(await token.isHidden());
      assert.ok(!this.page.url().includes("token"), "the token leaves the address");
    } else {
      assert.ok(await token.isVisible());
      await token.fill(link);
    }
  }
}

async function walk(browser, base, mode) {
  const w = await Walk.begin(browser, base, mode);
  const step = (name, body) => test(`${w.name}: ${name}`, body);

  await step("whoever is not signed in comes to the sign-in page", async () => {
    await w.open("/account/sessions");
    await w.at("/sign-in");
    assert.equal(new URL(w.page.url()).searchParams.get("next"), "/account/sessions");
    await w.look("sign-in");
  });

  await step("a registration with faults shows them beside the fields", async () => {
    await w.open("/register");
    await w.look("register");
    await w.fill({ name: `Zoë <${w.name}>`, email: "no address", password: "short" });
    await w.send("/register");
    await w.isWrong("email");
    assert.equal(await w.page.locator("#name").inputValue(), `Zoë <${w.name}>`);
    assert.equal(await w.page.locator("#email").inputValue(), "no address");
    assert.equal(await w.page.locator("#password").inputValue(), "");
    await w.look("register-faults");
    await w.fill({ email: w.email, password: "password1" });
    await w.send("/register");
    await w.isWrong("password");
    await w.look("register-guessable");
  });

  await step("a registration signs in", async () => {
    await w.fill({ email: w.email, password: PASSWORD });
    await w.send("/register");
    await w.at("/account");
    await w.look("account");
  });

  await step("the mail's link confirms the address", async () => {
    await w.follow(await mailedLink(base, w.email, w.seen));
    await w.look("verify-email");
    await w.send("/verify-email");
    await w.at("/account");
    assert.equal(await w.page.locator("[role=status]").count(), 1);
    await w.look("account-confirmed");
  });

  await step("the name is changed", async () => {
    await w.fill({ name: "Ada\u202e Lovelace & <b>" });
    await w.send("/account/name");
    assert.equal(await w.page.locator("#name").inputValue(), "Ada\u202e Lovelace & <b>");
    await w.look("account-renamed");
  });

  await step("the address is changed once the new one is confirmed", async () => {
    await w.fill({ email: "nothing" });
    await w.send("/account/email");
    await w.isWrong("email");
    await w.look("account-address-fault");
    const next = `new-${w.email}`;
    await w.fill({ email: next });
    // The button beside that of the name.
    await w.page.locator("#email").press("Enter");
    await w.page.waitForURL(/done=address_mailed/);
    await w.follow(await mailedLink(base, next, w.seen));
    await w.send("/verify-email");
    await w.at("/account");
    assert.ok((await w.page.locator("main").innerText()).includes(next));
    w.email = next;
  });

  await step("whoever is signed out signs in first, and comes back to the link", async () => {
    const next = `newer-${w.email}`;
    await w.fill({ email: next });
    await w.page.locator("#email").press("Enter");
    await w.page.waitForURL(/done=address_mailed/);
    await w.send("/sign-out");
    const link = await mailedLink(base, next, w.seen);
    await w.follow(link);
    await w.send("/verify-email");
    assert.equal(await w.page.locator("[role=alert]").count(), 1);
    await w.look("verify-email-first");
    await w.page.locator("main .ways a").click();
    await w.page.waitForURL(/\/sign-in/);
    await w.fill({ email: w.email, password: PASSWORD });
    await w.send("/sign-in");
    await w.at("/verify-email");
    if (mode.script) assert.ok(await w.page.locator("#token").isHidden());
    else await w.fill({ token: link });
    await w.send("/verify-email");
    await w.at("/account");
    assert.ok((await w.page.locator("main").innerText()).includes(next));
    w.email = next;
    const kept = () => sessionStorage.length;
    if (mode.script) assert.equal(await w.page.evaluate(kept), 0, "nothing of it stays");
  });

  await step("the password is changed", async () => {
    await w.open("/account/password");
    await w.look("password");
    await w.fill({ current_password: "wrong", new_password: OTHER_PASSWORD });
    await w.send("/account/password");
    await w.isWrong("current_password");
    await w.look("password-wrong");
    await w.fill({ current_password: PASSWORD, new_password: OTHER_PASSWORD });
    await w.send("/account/password");
    await w.look("password-changed");
  });

  await step("another device is signed out", async () => {
    await api(base, "POST", "/auth/login", { email: w.email, password: OTHER_PASSWORD });
    await w.open("/account/sessions");
    await w.look("sessions");
    await w.send("/account/sessions/");
    await w.at("/account/sessions");
    assert.equal(await w.page.locator('form[action^="/account/sessions/"]').count(), 0);
    await w.look("sessions-ended");
  });

  await step("a key is made, shown once, and revoked", async () => {
    await w.open("/account/api-keys");
    await w.look("api-keys-none");
    await w.send("/account/api-keys");
    await w.isWrong("name");
    await w.look("api-keys-fault");
    await w.fill({ name: "Nightly <backup>" });
    await w.page.locator("#days").selectOption("30");
    await w.send("/account/api-keys");
    const key = await w.page.locator(".secret code").innerText();
    assert.equal((await fetch(`${base}/auth/me`, { headers: { "x-api-key": key } })).status, 200);
    await w.look("api-key-new");
    await w.page.locator("main a.primary").click();
    await w.page.waitForURL(/api-keys$/);
    assert.ok(!(await w.page.content()).includes(key));
    await w.look("api-keys");
    await w.send("/account/api-keys/");
    assert.equal((await fetch(`${base}/auth/me`, { headers: { "x-api-key": key } })).status, 403);
    await w.look("api-keys-revoked");
    await w.open("/account/providers");
    await w.look("providers-none");
  });

  await step("an invitation is accepted, an organization switched to and left", async () => {
    await w.open("/account/organizations");
    await w.look("organizations-none");
    const owner = { email: `owner-of-${w.name}@example.com`, password: PASSWORD };
    await api(base, "POST", "/auth/register", owner);
    const { access_token } = await api(base, "POST", "/auth/login", owner);
    const org = await api(base, "POST", "/auth/orgs", { slug: w.name, name: `Analytical <Engines> ${w.name}` }, access_token);
    const invited = { email: w.email, role: "member" };
    await api(base, "POST", `/auth/orgs/${org.id}/invitations`, invited, access_token);
    await w.open("/account/invitation");
    await w.look("invitation");
    await w.fill({ token: "wgi_nonsense" });
    await w.send("/account/invitation");
    assert.equal(await w.page.locator("[role=alert]").count(), 1);
    await w.look("invitation-bad");
    await w.page.goto("about:blank");
    await w.follow(await mailedLink(base, w.email, w.seen));
    await w.send("/account/invitation");
    await w.at("/account/organizations");
    await w.look("organizations");
    await w.send("/account/organizations/");
    await w.look("organizations-active");
    await w.send("/account/organizations/none");
    await w.page.locator('form[action$="/leave"] button').click();
    await w.page.waitForURL(/done=left/);
    await w.look("organizations-left");
  });

  await step("signing out ends the session", async () => {
    await w.send("/sign-out");
    await w.at("/sign-in");
    await w.look("signed-out");
    await w.open("/account");
    await w.at("/sign-in");
  });

  await step("a wrong password says no more than that", async () => {
    await w.fill({ email: w.email, password: "wrong" });
    await w.send("/sign-in");
    assert.equal(await w.page.locator("#email").inputValue(), w.email);
    assert.equal(await w.page.locator("#password").inputValue(), "");
    assert.equal(await w.page.locator("[role=alert]").count(), 1);
    await w.look("sign-in-wrong");
    await w.fill({ email: "", password: "" });
    await w.send("/sign-in");
    await w.isWrong("email");
    await w.look("sign-in-empty");
  });

  await step("a forgotten password is set anew by mail", async () => {
    await w.open("/forgot-password");
    await w.look("forgot-password");
    await w.send("/forgot-password");
    await w.isWrong("email");
    await w.look("forgot-password-empty");
    await w.fill({ email: w.email });
    await w.send("/forgot-password");
    await w.at("/check-mail");
    await w.look("check-mail");
    const link = await mailedLink(base, w.email, w.seen);
    await w.follow(link);
    await w.look("reset-password");
    await w.fill({ new_password: "12345678" });
    await w.send("/reset-password");
    await w.isWrong("new_password");
    await w.look("reset-password-guessable");
    await w.fill({ new_password: PASSWORD });
    await w.send("/reset-password");
    await w.at("/sign-in");
    await w.look("sign-in-password-set");
    await w.page.goto("about:blank");
    await w.follow(link);
    await w.fill({ new_password: PASSWORD });
    await w.send("/reset-password");
    assert.equal(await w.page.locator("[role=alert]").count(), 1);
    await w.look("reset-password-used");
  });

  await step("a link by mail signs in", async () => {
    await w.open("/magic-link?next=%2Faccount%2Fpassword");
    await w.look("magic-link");
    await w.fill({ email: w.email });
    await w.send("/magic-link");
    await w.at("/check-mail");
    await w.look("check-mail-link");
    await w.follow(await mailedLink(base, w.email, w.seen));
    await w.look("magic-link-open");
    await w.send("/magic-link/open");
    await w.at("/account");
    await w.send("/sign-out");
  });

  await step("after signing in one is where one wanted to go, and nowhere else", async () => {
    await w.open("/account/api-keys");
    await w.fill({ email: w.email, password: PASSWORD });
    await w.send("/sign-in");
    await w.at("/account/api-keys");
    await w.send("/sign-out");
    await w.open("/sign-in?next=%2F%2Fevil.example");
    await w.fill({ email: w.email, password: PASSWORD });
    await w.send("/sign-in");
    await w.at("/account");
  });

  await step("what is not there is said in words", async () => {
    const form = await w.page.request.post(`${base}/account/api-keys/key_00000000000070008000000000000000/revoke`, {
      headers: { "accept-language": mode.language },
    });
    assert.equal(form.status(), 404);
    await w.page.setContent((await form.text()).replaceAll('="/', `="${base}/`));
    await w.look("not-found");
  });

  await step("the account is deleted, and asks twice", async () => {
    await w.open("/account/delete");
    await w.look("delete");
    await w.fill({ email: "somebody@example.com" });
    await w.send("/account/delete");
    await w.isWrong("email");
    await w.look("delete-wrong");
    await w.fill({ email: w.email });
    await w.send("/account/delete");
    await w.at("/sign-in");
    await w.look("deleted");
    await w.fill({ email: w.email, password: PASSWORD });
    await w.send("/sign-in");
    await w.at("/sign-in");
  });

  await w.context.close();
}

/** Nothing but the keyboard. */
async function keyboard(browser, base) {
  await test("the keyboard is enough to register, sign out, mistype, and sign in", async () => {
    const w = await Walk.begin(browser, base, { language: "en", theme: "light", script: true });
    const { page } = w;
    /** Waits until the focus is on what has this id or text: `autofocus` takes a moment. */
    const focus = (what) => page.waitForFunction((what) => {
      const { id, textContent } = document.activeElement ?? {};
      return (id || textContent?.trim()) === what;
    }, what);
    await w.open("/register");
    await focus("email");
    await page.keyboard.type("keys@example.com");
    await page.keyboard.press("Tab");
    await focus("password");
    await page.keyboard.type(PASSWORD);
    await page.keyboard.press("Tab");
    await focus("Create account");
    await page.keyboard.press("Enter");
    await page.waitForURL(/\/account$/);
    await page.keyboard.press("Tab");
    await focus("Skip to the content");
    await page.keyboard.press("Tab");
    await focus("Sign out");
    await page.keyboard.press("Enter");
    await page.waitForURL(/\/sign-in/);
    await focus("email");
    await page.keyboard.type("keys@example.com");
    await page.keyboard.press("Tab");
    await page.keyboard.type("wrong");
    await page.keyboard.press("Enter");
    await page.locator("[role=alert]").waitFor();
    await focus("password");
    await page.keyboard.type(PASSWORD);
    await page.keyboard.press("Enter");
    await page.waitForURL(/\/account$/);
    await w.context.close();
  });
}

async function phone(browser, base) {
  await test("a small phone shows every page without scrolling sideways", async () => {
    const viewport = { width: 320, height: 640 };
    const w = await Walk.begin(browser, base, { language: "de", theme: "light", script: true, viewport });
    w.name = "phone";
    await w.open("/sign-in");
    await w.look("sign-in");
    await w.open("/register");
    await w.look("register");
    await w.fill({ email: "phone@example.com", password: PASSWORD });
    await w.send("/register");
    for (const page of ["", "/password", "/sessions", "/api-keys", "/organizations", "/delete", "/invitation"]) {
      await w.open(`/account${page}`);
      await w.look(`account${page.replace("/", "-")}`);
    }
    await w.context.close();
  });
}

/** What impatient and absent-minded people do. */
async function impatience(browser, base) {
  const mode = { language: "en", theme: "light", script: true };

  await test("a form that is sent twice at once is sent once", async () => {
    const w = await Walk.begin(browser, base, mode);
    const { page } = w;
    let sent = 0;
    page.on("request", (request) => { sent += request.method() === "POST" ? 1 : 0; });
    await w.open("/register");
    await w.fill({ email: "twice@example.com", password: PASSWORD });
    await page.locator("main form button").dblclick();
    await page.waitForURL(/\/account$/);
    await mailedLink(base, "twice@example.com", w.seen);
    await w.open("/forgot-password");
    await w.fill({ email: "twice@example.com" });
    await page.locator("main form button").dblclick();
    await page.waitForURL(/\/check-mail/);
    await w.follow(await mailedLink(base, "twice@example.com", w.seen));
    await w.fill({ new_password: OTHER_PASSWORD });
    await page.locator("main form button").dblclick();
    await page.waitForURL(/\/sign-in\?done=password_set/);
    assert.equal(sent, 3);
    await w.context.close();
  });

  await test("the back button shows nothing of an account that was signed out of", async () => {
    const w = await Walk.begin(browser, base, mode);
    await w.open("/register");
    await w.fill({ email: "back@example.com", password: PASSWORD });
    await w.send("/register");
    // Back to the form is on to the account.
    await w.page.goBack();
    await w.at("/account");
    await w.open("/account/sessions");
    await w.send("/sign-out");
    await w.at("/sign-in");
    await w.page.goBack();
    await w.page.waitForURL(/\/sign-in/);
    assert.ok(!(await w.page.content()).includes("back@example.com"));
    await w.context.close();
  });

  await test("coming back to a form that was sent, it can be sent again", async () => {
    const w = await Walk.begin(browser, base, mode);
    await w.open("/sign-in");
    await w.fill({ email: "back@example.com", password: "wrong" });
    await w.send("/sign-in");
    assert.equal(await w.page.locator("[role=alert]").count(), 1);
    await w.page.goBack();
    await w.page.waitForLoadState();
    await w.fill({ email: "back@example.com", password: PASSWORD });
    await w.send("/sign-in");
    await w.at("/account");
    await w.context.close();
  });

  await test("a link that a newer one replaced says so, and how to get another", async () => {
    const w = await Walk.begin(browser, base, mode);
    w.email = "back@example.com";
    const ask = async () => {
      await w.open("/forgot-password");
      await w.fill({ email: w.email });
      await w.send("/forgot-password");
      return mailedLink(base, w.email, w.seen);
    };
    await mailedLink(base, w.email, w.seen);
    const [older, newer] = [await ask(), await ask()];
    await w.follow(older);
    await w.fill({ new_password: OTHER_PASSWORD });
    await w.send("/reset-password");
    assert.equal(await w.page.locator("[role=alert]").count(), 1);
    await w.look("reset-password-replaced");
    await w.page.goto("about:blank");
    await w.follow(newer);
    await w.fill({ new_password: OTHER_PASSWORD });
    await w.send("/reset-password");
    await w.at("/sign-in");
    await w.context.close();
  });

  await test("whoever was signed out elsewhere signs in and is back", async () => {
    const w = await Walk.begin(browser, base, mode);
    const person = { email: "elsewhere@example.com", password: PASSWORD };
    await w.open("/register");
    await w.fill(person);
    await w.send("/register");
    await w.open("/account");
    const { access_token } = await api(base, "POST", "/auth/login", person);
    const { items } = await api(base, "GET", "/auth/sessions", undefined, access_token);
    const { sid } = JSON.parse(Buffer.from(access_token.split(".")[1], "base64url"));
    for (const { id } of items.filter(({ id }) => id !== sid)) {
      await api(base, "DELETE", `/auth/sessions/${id}`, undefined, access_token);
    }
    await w.fill({ name: "Ada" });
    await w.send("/account/name");
    await w.at("/sign-in");
    await w.look("sign-in-over");
    await w.fill(person);
    await w.send("/sign-in");
    await w.at("/account");
    assert.equal(await w.page.locator("#name").inputValue(), "");
    await w.context.close();
  });
}

/** A stranger's page in the same browser. */
async function stranger(browser, base) {
  await test("a stranger's page can neither send a form nor show a page in a frame", async () => {
    const w = await Walk.begin(browser, base, { language: "en", theme: "light", script: true });
    await w.open("/register");
    await w.fill({ email: "victim@example.com", password: PASSWORD });
    await w.send("/register");
    const evil = base.replace("127.0.0.1", "localhost");
    const html = `<form method="post" action="${base}/account/name"><input name="name" value="Mallory"><button>Go</button></form>
      <form method="post" action="${base}/sign-in"><input name="email" value="back@example.com">
      <input name="password" value="${OTHER_PASSWORD}"><button id="in">In</button></form><iframe src="${base}/account"></iframe>`;
    const page = await w.context.newPage();
    await page.route(`${evil}/evil`, (route) => route.fulfill({ contentType: "text/html", body: html }));
    for (const button of ["button >> nth=0", "#in"]) {
      await page.goto(`${evil}/evil`);
      const frame = page.frames().find((frame) => frame !== page.mainFrame());
      assert.ok(!(await frame.content()).includes("victim@example.com"));
      const answer = page.waitForResponse((response) => response.request().method() === "POST");
      await page.locator(button).click();
      assert.equal((await answer).status(), 403);
    }
    await page.close();
    await w.open("/account");
    assert.ok((await w.page.content()).includes("victim@example.com"), "still whoever it was");
    assert.equal(await w.page.locator("#name").inputValue(), "");
    await w.context.close();
  });
}

/** The page of the API's documentation, as somebody uses it who tries the API out. */
async function docs(browser, base) {
  await test("the documentation's Authorize button signs in, and a route is called", async () => {
    const person = { email: "docs@example.com", password: PASSWORD };
    await api(base, "POST", "/auth/register", person);
    const context = await browser.newContext({ viewport: { width: 1280, height: 1000 } });
    const page = await context.newPage();
    page.setDefaultTimeout(15_000);
    await page.goto(`${base}/docs/`);
    await page.locator("button.authorize").first().click();
    await page.locator("#oauth_username").fill(person.email);
    await page.locator("#oauth_password").fill(person.password);
    const flow = page.locator(".auth-container", { hasText: "OAuth2, password" });
    await flow.locator("button.authorize").click();
    await flow.locator("button", { hasText: "Logout" }).waitFor();
    await page.locator("button.btn-done").first().click();
    const route = page.locator(".opblock-get", { has: page.locator('[data-path="/auth/me"]') });
    await route.locator(".opblock-summary-control").first().click();
    await route.locator("button.execute").click();
    const body = route.locator(".responses-table.live-responses-table .response-col_description pre").first();
    await body.waitFor();
    assert.ok((await body.innerText()).includes(person.email));
    if (pictures) await page.screenshot({ path: join(pictures, "docs.png") });
    await context.close();
  });
}

const server = await start();
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: FLAGS });
try {
  for (const language of ["en", "de"]) {
    for (const theme of ["light", "dark"]) {
      for (const script of [true, false]) await walk(browser, server.base, { language, theme, script });
    }
  }
  await keyboard(browser, server.base);
  await phone(browser, server.base);
  await impatience(browser, server.base);
  await stranger(browser, server.base);
  await docs(browser, server.base);
} finally {
  await browser.close();
  await server.stop();
}
console.log(`\n${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
