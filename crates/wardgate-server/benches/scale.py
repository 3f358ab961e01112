#!/usr/bin/env python3
"""How much slower much data makes a server: each figure on a database that is almost empty, and on a full one.

    cargo build --release --bin wardgate
    crates/wardgate-server/benches/scale.py target/release/wardgate                        # SQLite
    crates/wardgate-server/benches/scale.py target/release/wardgate postgres://…/postgres  # a role with CREATEDB, psql

Two tables in Markdown: a million users with 100,000 sessions and keys, and 10,000 tenants against ten. Times are
medians over one connection, in milliseconds; signing in is measured by a mailed link, since a hash would hide the rest.
Mails go out once a second, which is most of the time that this takes: about seven minutes.
"""

import html
import http.client
import json
import os
import re
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.parse

PASSWORD = "correct horse battery staple"
ROWS = 1_000_000
TENANTS = 10_000
SETTINGS = {"WARDGATE_RATE_LIMIT__ENABLED": "false", "WARDGATE_SESSION__MAX_PER_USER": "10000"}


class Server:
    """A development server on data of its own, stopped at the end of a `with`."""

    def __init__(self, binary, folder, database):
        self.binary, self.folder, self.seen = binary, folder, set()
        self.environment = {**os.environ, **SETTINGS}
        if database:
            self.environment["WARDGATE_DATABASE__URL"] = database

    def __enter__(self):
        command = [self.binary, "serve", "--dev", "--listen", "127.0.0.1:0", "--data-dir", self.folder]
        self.process = subprocess.Popen(command, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for line in self.process.stdout:
            if found := re.search(r"http://127\.0\.0\.1:(\d+)", line):
                self.port = int(found[1])
                break
        else:
            sys.exit("the server did not start")
        # What it says later is read by nobody, and must not fill the pipe.
        self.drain = subprocess.Popen(["cat"], stdin=self.process.stdout, stdout=subprocess.DEVNULL)
        self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        while self.ask("GET", "/readyz", expect=None)[0] != 200:
            time.sleep(0.05)
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        self.drain.wait()

    def ask(self, method, path, body=None, headers={}, expect=(200, 201, 202, 204)):
        sent = None if body is None else json.dumps(body)
        self.connection.request(method, path, sent, {"content-type": "application/json", **headers})
        answer = self.connection.getresponse()
        text = answer.read().decode()
        if expect and answer.status not in expect:
            sys.exit(f"{method} {path}: {answer.status} {text}")
        return answer.status, text, answer.headers

    def command(self, *arguments, stdin=""):
        command = [self.binary, *arguments, "--data-dir", self.folder]
        subprocess.run(command, env=self.environment, input=stdin, text=True, check=True, stdout=subprocess.DEVNULL)

    def log_in(self, email):
        return json.loads(self.ask("POST", "/auth/login", {"email": email, "password": PASSWORD})[1])

    def link(self, path, email):
        """The token and the cookie of a new mailed link."""
        cookie = self.ask("POST", f"{path}/auth/magic-link", {"email": email})[2]["set-cookie"].split(";")[0]
        while True:
            page = html.unescape(self.ask("GET", "/dev/inbox")[1])
            for token in re.findall(r"magic-link/redeem#token=(wgm_[\w-]+)", page):
                if token not in self.seen:
                    self.seen.add(token)
                    return token, cookie
            time.sleep(0.002)


def median_ms(times, work):
    """The median of what `work` takes; it is given what was made ready before, which does not count."""
    taken = []
    for ready in times:
        begin = time.perf_counter()
        work(ready)
        taken.append(time.perf_counter() - begin)
    return statistics.median(taken) * 1000


def signing_in(server, paths, email):
    def redeem(ready):
        path, (token, cookie) = ready
        server.ask("POST", f"{path}/auth/magic-link/redeem", {"token": token}, {"cookie": cookie})

    return median_ms(((path, server.link(path, email)) for path in paths), redeem)


def of_rows(server):
    tokens = server.log_in("ada@example.com")
    bearer = {"authorization": f"Bearer {tokens['access_token']}"}
    key = json.loads(server.ask("POST", "/auth/api-keys", {"name": "scale"}, bearer)[1])["key"]
    held = [tokens["refresh_token"]]

    def refresh(_):
        held[0] = json.loads(server.ask("POST", "/auth/refresh", {"refresh_token": held[0]})[1])["refresh_token"]

    verify = lambda _: server.ask("GET", "/auth/verify", None, {"x-api-key": key})
    median_ms(range(500), verify)
    return {
        "sign-in without the hash": signing_in(server, [""] * 60, "ada@example.com"),
        "refresh": median_ms(range(1500), refresh),
        "an API key checked": median_ms(range(5000), verify),
    }


def of_tenants(server, begun, count):
    """Makes tenants until `count` are there; a few more are made on the way."""
    bearer = {"authorization": f"Bearer {server.log_in('root@example.com')['access_token']}"}
    make = lambda slug: server.ask("POST", "/admin/tenants", {"slug": slug, "name": slug}, bearer)
    slugs = [f"tenant-{n}" for n in range(count)]
    for slug in slugs[begun:]:
        make(slug)
    chosen = [slugs[i * len(slugs) // 60] for i in range(60)]
    for slug in set(chosen):
        server.ask("POST", f"/t/{slug}/auth/register", {"email": "ada@example.com", "password": PASSWORD}, expect=None)
    listing = lambda _: server.ask("GET", "/admin/tenants?limit=10", None, bearer)
    median_ms(range(20), listing)
    made = [f"more-{count}-{n}" for n in range(41)]
    paths = [f"/t/{slug}" for slug in chosen]
    return {
        "a tenant made": median_ms(made, make),
        # Which reads the tenant's keys.
        "the first sign-in to one, without the hash": signing_in(server, sorted(set(paths)), "ada@example.com"),
        "a later sign-in to one": signing_in(server, paths, "ada@example.com"),
        "a page of 10 tenants": median_ms(range(300), listing),
    }


def fill_sqlite(folder):
    database = sqlite3.connect(f"{folder}/wardgate.db")
    database.execute("PRAGMA synchronous = OFF")
    tenant, now = database.execute("SELECT id FROM tenants WHERE slug = 'default'").fetchone()[0], int(time.time() * 1000)
    users = [os.urandom(16) for _ in range(ROWS)]
    many = users[: ROWS // 10]
    sessions = [os.urandom(16) for _ in many]
    week = now + 7 * 86_400_000
    for statement, rows in (
        ("users (tenant_id, id, email, email_normalized, created_at)",
         ((tenant, user, f"u{n}@example.com", f"u{n}@example.com", now - n) for n, user in enumerate(users))),
        ("principal_roles (tenant_id, principal_id, role)", ((tenant, user, "user") for user in users)),
        ("sessions (tenant_id, id, user_id, client_id, created_at, last_seen_at, expires_at, proven_at)",
         ((tenant, session, user, "first-party", now, now, week, now) for session, user in zip(sessions, many))),
        ("refresh_tokens (tenant_id, id, session_id, digest)",
         ((tenant, os.urandom(16), session, os.urandom(32)) for session in sessions)),
        ("api_keys (tenant_id, id, owner_kind, owner_id, name, digest, quota_used, created_at)",
         ((tenant, os.urandom(16), "user", user, "k", os.urandom(32), 0, now) for user in many)),
    ):
        places = ", ".join("?" * (statement.count(",") + 1))
        database.executemany(f"INSERT INTO {statement} VALUES ({places})", rows)
    database.commit()
    database.close()


# Plans of foreign keys are kept, and made while there is nothing.
FILL = f"""
SET enable_seqscan = off;
CREATE TEMP TABLE of AS SELECT id AS tenant, (extract(epoch FROM now()) * 1000)::bigint AS at FROM tenants WHERE slug = 'default';
INSERT INTO users (tenant_id, id, email, email_normalized, created_at)
  SELECT tenant, gen_random_uuid(), 'u' || n || '@example.com', 'u' || n || '@example.com', at - n
  FROM of, generate_series(1, {ROWS}) n;
INSERT INTO principal_roles (tenant_id, principal_id, role) SELECT tenant_id, id, 'user' FROM users WHERE email LIKE 'u%';
CREATE TEMP TABLE made AS
  SELECT tenant, at, id AS user_id, gen_random_uuid() AS id FROM users, of WHERE email LIKE 'u%' LIMIT {ROWS // 10};
INSERT INTO sessions (tenant_id, id, user_id, client_id, created_at, last_seen_at, expires_at, proven_at)
  SELECT tenant, id, user_id, 'first-party', at, at, at + 604800000, at FROM made;
INSERT INTO refresh_tokens (tenant_id, id, session_id, digest)
  SELECT tenant, gen_random_uuid(), id, sha256(('r' || id)::bytea) FROM made;
INSERT INTO api_keys (tenant_id, id, owner_kind, owner_id, name, digest, quota_used, created_at)
  SELECT tenant, gen_random_uuid(), 'user', user_id, 'k', sha256(('k' || id)::bytea), 0, at FROM made;
ANALYZE;
"""


def psql(url, sql):
    environment = {**os.environ, "PGOPTIONS": "-c wardgate.tenant=all"}
    subprocess.run(["psql", url, "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--command", sql], env=environment, check=True)


def table(title, before, after, columns):
    print(f"\n| {title} | {columns[0]} | {columns[1]} | ratio | wanted |\n|---|---|---|---|---|")
    for what, first in before.items():
        print(f"| {what} | {first:.2f} ms | {after[what]:.2f} ms | {after[what] / first:.2f} | ≤ 1.3 |", flush=True)


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    binary, maintenance = sys.argv[1], sys.argv[2] if len(sys.argv) == 3 else None
    with tempfile.TemporaryDirectory() as folder:
        database = None
        if maintenance:
            psql(maintenance, "DROP DATABASE IF EXISTS wardgate_scale WITH (FORCE)")
            psql(maintenance, "CREATE DATABASE wardgate_scale")
            parts = urllib.parse.urlsplit(maintenance)
            database = parts._replace(path="/wardgate_scale").geturl()
        server = Server(binary, folder, database)
        with server:
            for email, role in (("ada@example.com", "user"), ("root@example.com", "superadmin")):
                server.command("user", "create", "--email", email, "--role", role, "--password-stdin", stdin=PASSWORD)
            few, empty = of_tenants(server, 0, 10), of_rows(server)
        with server:
            many = of_tenants(server, 10, TENANTS)
        table("tenants", few, many, ("10", f"{TENANTS:,}"))
        psql(database, FILL) if database else fill_sqlite(folder)
        with server:
            full = of_rows(server)
        table("rows", empty, full, ("empty", f"{ROWS:,} users"))
        if maintenance:
            psql(maintenance, "DROP DATABASE wardgate_scale WITH (FORCE)")


if __name__ == "__main__":
    main()
