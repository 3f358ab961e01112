// Signs in through a real OpenID provider, npm's oidc-provider on loopback, in a headless Chromium: an account is made,
// come back to, linked and unlinked.
//
//     node federation.mjs ../../target/debug/wardgate
//
// CHROMIUM names the browser, /usr/bin/chromium if it is not set. Ends with one line, `N passed, N failed`.

import { spawn } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import assert from "node:assert/strict";
import Provider from "oidc-provider";
import { chromium } from "playwright-core";

const PASSWORD = "violet anchor canyon drum";
const SECRET = "kR8sPq2x:with/what=has+to be escaped";
const FLAGS = [
  "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync",
];
// A name each for the algorithms that providers sign with.
const CLIENTS = { rs: "RS256", es: "ES256", ed: "EdDSA" };

const binary = process.argv[2];
if (!binary) {
  console.error("usage: node federation.mjs PATH_TO_WARDGATE");
  process.exit(2);
}

// A signal ends it as well as the last line does: what was started goes first.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.once(signal, () => process.exit(1));

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

async function listening(server) {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return server.address().port;
}

async function freePort() {
  const server = createServer();
  const port = await listening(server);
  server.close();
  await once(server, "close");
  return port;
}

/** A provider whose host is another site than Wardgate's, so that the browser minds what cookies it sends where. */
async function startProvider(base) {
  const server = createServer();
  const issuer = `http://localhost:${await listening(server)}`;
  const jwk = (kind, options) => generateKeyPairSync(kind, options).privateKey.export({ format: "jwk" });
  const keys = [
    { ...jwk("rsa", { modulusLength: 2048 }), use: "sig", alg: "RS256", kid: "one" },
    { ...jwk("ec", { namedCurve: "P-256" }), use: "sig", alg: "ES256", kid: "two" },
    { ...jwk("ed25519"), use: "sig", alg: "EdDSA", kid: "three" },
  ];
  const client = ([name, algorithm]) => ({
    client_id: `wardgate-${name}`,
    client_secret: SECRET,
    redirect_uris: [`${base}/auth/callback/${name}`],
    id_token_signed_response_alg: algorithm,
  });
  const provider = new Provider(issuer, {
    clients: Object.entries(CLIENTS).map(client),
    cookies: { keys: ["only for this test"] },
    jwks: { keys },
    claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name"] },
    enabledJWA: { idTokenSigningAlgValues: Object.values(CLIENTS) },
    findAccount: (_, sub) => ({
      accountId: sub,
      claims: () => ({ sub, email: `${sub}@example.com`, email_verified: true, name: `The user ${sub}` }),
    }),
    ttl: { AccessToken: 60, IdToken: 60, Grant: 600, Interaction: 600, Session: 600 },
  });
  const faults = [];
  provider.on("server_error", (_, error) => faults.push(error.stack));
  server.on("request", provider.callback());
  return { issuer, faults, stop: () => server.close() };
}

async function startWardgate(port, issuer) {
  const data = mkdtempSync(join(tmpdir(), "wardgate-federation-"));
  const env = { ...process.env, WARDGATE_RATE_LIMIT__ENABLED: "false" };
  for (const name of Object.keys(CLIENTS)) {
    const prefix = `WARDGATE_PROVIDERS__${name.toUpperCase()}__`;
    env[`${prefix}ISSUER`] = issuer;
    env[`${prefix}LABEL`] = `Provider ${name}`;
    env[`${prefix}CLIENT_ID`] = `wardgate-${name}`;
    env[`${prefix}CLIENT_SECRET`] = SECRET;
  }
  const child = spawn(binary, ["serve", "--dev", "--json", "--listen", `127.0.0.1:${port}`, "--data-dir", data], {
    env,
    stdio: ["ignore", "pipe", "pipe"],
  });
  // However this process ends.
  process.once("exit", () => {
    child.kill("SIGKILL");
    rmSync(data, { recursive: true, force: true });
  });
  const log = [];
  child.stderr.on("data", (text) => log.push(text));
  const gone = new Promise((_, reject) => {
    child.once("exit", (code) => reject(new Error(`the server ended (${code}):\n${log.join("")}`)));
    child.once("error", reject);
  });
  gone.catch(() => {});
  const line = new Promise((resolve) => createInterface({ input: child.stdout }).once("line", resolve));
  await Promise.race([line, gone]);
  const stop = async () => {
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGTERM");
    await ended;
  };
  return { stop, log };
}

/** A browser of one person. */
async function person(browser, base) {
  const context = await browser.newContext();
  const page = await context.newPage();
  page.setDefaultTimeout(15_000);
  /** Asks Wardgate as a page of its own would: with the cookie, and an Origin. */
  const ask = async (method, path, body) => {
    const answer = await context.request.fetch(base + path, {
      method,
      headers: { origin: base },
      ...(body && { data: body }),
    });
    const text = await answer.text();
    return { status: answer.status(), body: text && JSON.parse(text) };
  };
  /** Goes through the provider's own pages, as far as it shows any. */
  const authenticate = async (login) => {
    for (let pages = 0; pages < 4 && page.url().includes("/interaction/"); pages += 1) {
      if (await page.locator("input[name=login]").count()) {
        await page.fill("input[name=login]", login);
        await page.fill("input[name=password]", "anything");
      }
      await Promise.all([page.waitForEvent("framenavigated"), page.click("button[type=submit]")]);
      await page.waitForLoadState();
    }
  };
  const signIn = async (name, login, asked = "") => {
    await page.goto(`${base}/auth/login/${name}?next=/healthz${asked}`);
    await authenticate(login);
    assert.equal(page.url(), `${base}/healthz`);
  };
  const who = async () => {
    const { status, body } = await ask("GET", "/auth/session");
    return status === 200 ? body : null;
  };
  return { context, page, ask, authenticate, signIn, who };
}

const port = await freePort();
const base = `http://127.0.0.1:${port}`;
const provider = await startProvider(base);
const wardgate = await startWardgate(port, provider.issuer);
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: FLAGS,
});

try {
  await test("sign-in pages learn which providers there are", async () => {
    const answer = await fetch(`${base}/auth/providers`);
    const { items } = await answer.json();
    assert.deepEqual(items, [
      { name: "ed", label: "Provider ed" }, { name: "es", label: "Provider es" }, { name: "rs", label: "Provider rs" },
    ]);
  });

  for (const [name, algorithm] of Object.entries(CLIENTS)) {
    await test(`a stranger gets an account and comes back to it (${algorithm})`, async () => {
      const ada = await person(browser, base);
      await ada.signIn(name, `ada-${name}`);
      const first = await ada.who();
      assert.equal(first.email, `ada-${name}@example.com`);
      assert.deepEqual([first.email_verified, first.name], [false, `The user ada-${name}`]);
      const cookies = await ada.context.cookies(base);
      const session = cookies.find((cookie) => cookie.name === "wardgate_session");
      assert.deepEqual([session.httpOnly, session.sameSite], [true, "Lax"]);
      assert.ok(!cookies.some((cookie) => cookie.name === "wardgate_upstream"));
      assert.equal((await ada.ask("DELETE", "/auth/session")).status, 204);
      assert.equal(await ada.who(), null);
      // The provider knows her still and asks nothing.
      await ada.signIn(name, "nobody");
      assert.equal((await ada.who()).id, first.id);
      // So does another browser, in which it asks.
      const elsewhere = await person(browser, base);
      await elsewhere.signIn(name, `ada-${name}`);
      assert.equal((await elsewhere.who()).id, first.id);
      await elsewhere.context.close();
      await ada.context.close();
    });
  }

  await test("the sign-in page has a button for each, which leads to the account", async () => {
    const ada = await person(browser, base);
    await ada.page.goto(`${base}/account/sessions`);
    assert.equal(await ada.page.locator(".ways a[href*='/auth/login/']").count(), Object.keys(CLIENTS).length);
    await ada.page.click("text=Sign in with Provider es");
    await ada.authenticate("ada-es");
    await ada.page.waitForURL(`${base}/account/sessions`);
    assert.ok((await ada.page.locator("main").innerText()).includes("this device"));
    await ada.context.close();
  });

  await test("without a page to go to, tokens are shown", async () => {
    const ada = await person(browser, base);
    await ada.page.goto(`${base}/auth/login/rs`);
    await ada.authenticate("ada-rs");
    const tokens = JSON.parse(await ada.page.locator("body").innerText());
    const answer = await fetch(`${base}/auth/me`, { headers: { authorization: `Bearer ${tokens.access_token}` } });
    assert.equal((await answer.json()).email, "ada-rs@example.com");
    assert.equal(await ada.who(), null);
    // What came back is good once.
    const again = await ada.page.goto(ada.page.url());
    assert.equal(again.status(), 400);
    await ada.context.close();
  });

  await test("a form that the provider's page posts arrives with the cookie", async () => {
    const ada = await person(browser, base);
    let posted = 0;
    ada.page.on("request", (request) => {
      posted += request.method() === "POST" && request.url().startsWith(`${base}/auth/callback/es`) ? 1 : 0;
    });
    // As Apple wants to be asked.
    const asked = await ada.context.request.get(`${base}/auth/login/es?next=/healthz`, { maxRedirects: 0 });
    assert.equal(asked.status(), 303);
    await ada.page.goto(`${asked.headers().location}&response_mode=form_post`);
    await ada.authenticate("ada-es");
    await ada.page.waitForURL(`${base}/healthz`);
    assert.equal(posted, 1);
    assert.equal((await ada.who()).email, "ada-es@example.com");
    await ada.context.close();
  });

  await test("whoever cancels is told so, and nobody is signed in", async () => {
    const ada = await person(browser, base);
    await ada.page.goto(`${base}/auth/login/rs?next=/healthz`);
    await Promise.all([
      ada.page.waitForResponse((answer) => answer.url().startsWith(`${base}/auth/callback/rs`) && answer.status() === 403),
      ada.page.click("a[href$=abort]"),
    ]);
    await ada.page.waitForLoadState();
    assert.match(await ada.page.locator("main").innerText(), /was not allowed to tell us who you are/);
    assert.equal(await ada.who(), null);
    await ada.context.close();
  });

  await test("an address that comes back in another browser opens nothing there", async () => {
    const [ada, eve] = [await person(browser, base), await person(browser, base)];
    // Eve stops on her way back and gives Ada the address.
    await eve.page.route(`${base}/auth/callback/**`, (route) => route.abort());
    await eve.page.goto(`${base}/auth/login/rs?next=/healthz`);
    const back = eve.page.waitForRequest((request) => request.url().startsWith(`${base}/auth/callback/rs`));
    await eve.authenticate("eve").catch(() => {});
    const answer = await ada.page.goto((await back).url());
    assert.equal(answer.status(), 400);
    assert.equal(await ada.who(), null);
    await ada.context.close();
    await eve.context.close();
  });

  await test("a user with a password links a provider, signs in by it, and unlinks it", async () => {
    const bob = await person(browser, base);
    const account = { email: "bob@example.org", password: PASSWORD };
    assert.equal((await bob.ask("POST", "/auth/register", account)).status, 201);
    assert.equal((await bob.ask("POST", "/auth/session", account)).status, 200);
    const { id } = await bob.who();
    const begun = await bob.ask("POST", "/auth/identities", { provider: "es", next: "/healthz" });
    assert.equal(begun.status, 200);
    await bob.page.goto(begun.body.location);
    await bob.authenticate("robert");
    assert.equal(bob.page.url(), `${base}/healthz`);
    const { body: linked } = await bob.ask("GET", "/auth/identities");
    assert.deepEqual(linked.items.map((link) => [link.provider, link.issuer, link.subject, link.email]), [
      ["es", provider.issuer, "robert", "robert@example.com"],
    ]);
    assert.equal((await bob.ask("DELETE", "/auth/session")).status, 204);
    await bob.signIn("es", "robert");
    assert.equal((await bob.who()).id, id);
    // The provider let him through without a question, so it takes one.
    const unlink = () => bob.ask("DELETE", `/auth/identities/${linked.items[0].id}`);
    assert.equal((await unlink()).body.code, "step_up_required");
    await bob.page.goto(`${base}/auth/login/es?next=/healthz&fresh=true`);
    assert.match(bob.page.url(), /interaction/);
    await bob.authenticate("robert");
    assert.equal((await unlink()).status, 204);
    assert.deepEqual((await bob.ask("GET", "/auth/identities")).body.items, []);
    // The password is still a way in; the provider is one to an account of its own.
    assert.equal((await bob.ask("DELETE", "/auth/session")).status, 204);
    await bob.signIn("es", "robert");
    assert.notEqual((await bob.who()).id, id);
    await bob.context.close();
  });

  await test("the same by the page of linked services, in a browser", async () => {
    const dora = await person(browser, base);
    const account = { email: "dora@example.org", password: PASSWORD };
    assert.equal((await dora.ask("POST", "/auth/register", account)).status, 201);
    assert.equal((await dora.ask("POST", "/auth/session", account)).status, 200);
    await dora.page.goto(`${base}/account/providers`);
    await dora.page.click("text=Provider ed");
    await dora.page.waitForURL(/interaction/);
    await dora.authenticate("dorothea");
    await dora.page.waitForURL(`${base}/account/providers?done=provider_linked`);
    const linked = await dora.page.locator("main").innerText();
    assert.ok(linked.includes("The service is linked.") && linked.includes("dorothea@example.com"), linked);
    await dora.page.click("text=Remove");
    await dora.page.waitForURL(`${base}/account/providers?done=provider_unlinked`);
    assert.match(await dora.page.locator("main").innerText(), /You have linked no other service/);
    await dora.context.close();
  });

  await test("the address of somebody else's account leads to nothing", async () => {
    const carol = await person(browser, base);
    const account = { email: "carol@example.com", password: PASSWORD };
    assert.equal((await carol.ask("POST", "/auth/register", account)).status, 201);
    await carol.page.goto(`${base}/auth/login/rs?next=/healthz`);
    await carol.authenticate("carol");
    assert.match(await carol.page.locator("main").innerText(), /belongs to no account/);
    assert.equal(await carol.who(), null);
    await carol.context.close();
  });

  await test("the last way to sign in stays", async () => {
    const ada = await person(browser, base);
    await ada.signIn("rs", "ada-rs", "&fresh=true");
    const { body } = await ada.ask("GET", "/auth/identities");
    const refused = await ada.ask("DELETE", `/auth/identities/${body.items[0].id}`);
    assert.deepEqual([refused.status, refused.body.code], [409, "last_credential"]);
    await ada.context.close();
  });

  await test("nobody is sent to a stranger's page", async () => {
    const ada = await person(browser, base);
    await ada.page.goto(`${base}/auth/login/rs?next=${encodeURIComponent("//evil.example/")}`);
    await ada.authenticate("ada-rs");
    assert.equal(ada.page.url(), `${base}/`);
    await ada.context.close();
  });

  await test("nothing went wrong at the provider, and no secret is in the log", async () => {
    assert.deepEqual(provider.faults, []);
    const log = wardgate.log.join("");
    for (const secret of ["kR8sPq2x", "access_token", "wgf_", "wgu_"]) assert.ok(!log.includes(secret), secret);
  });
} finally {
  await browser.close();
  await wardgate.stop();
  provider.stop();
}

console.log(`${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
