"""Rolls from one version of Wardgate to the next while clients work, and counts what fails (S-154).

    python rolling.py [--from REVISION] [--seconds N] [--binaries OLD NEW] [--ahead]

Builds the version before (`--from`; without it the newest tag) from a worktree in a temporary folder, and the one that is
here. Then, on a PostgreSQL of its own (or on the server in WARDGATE_TEST_POSTGRES, in a database of its own): two old nodes
alone; `wardgate migrate` of the new program while both serve; old and new side by side; new alone; a stop under load; an
old program that comes back. On SQLite, where one server runs at a time: old, `migrate` beside it, new. Each step takes
`--seconds`.

`--ahead` rolls from what is committed here to the same with one more migration: whether the version that is to be released
can be upgraded. `--binaries` takes two programs that are built.

A node is asked for `/readyz` each fifth of a second, as a load balancer asks, and gets no new request once it answers other
than 200. A client that is refused a connection, or finds one that it had closed, goes to another node. Everything else that
is not the right answer is a failure: a 5xx, a 401 for a good credential, a refresh token that is lost, a connection that
was taken and then cut off, and a 200 for a session that was signed out. On SQLite there is no other node to go to: there
whoever is cut off by the server that stops asks the next one.

Prints a line a step and closes with `N passed, N failed`; exits 1 if one failed. Needs git, cargo and PostgreSQL.
"""

import argparse
import collections
import http.client
import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from contextlib import ExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from harness import PASSWORD, WITHIN, end, free_port, production, serve, start, step, stop, tool, without_settings

ROOT = Path(__file__).resolve().parents[2]
ISSUER = "https://auth.example.com"
POLL = 0.2  # seconds between two looks at /readyz
DELAY = 1.0  # how long a node that is told to stop is still reached
PAUSE = 0.02  # between two requests of one client
# Limits are not what is tried here, and all clients are one source.
LIMITS = {f"WARDGATE_RATE_LIMIT__{name}": "1000000" for name in ["SIGN_IN_SOURCE", "SIGN_IN_TENANT", "REFRESH"]}
LIMITS["WARDGATE_RATE_LIMIT__SIGN_IN_ACCOUNT"] = "100"
AHEAD = "ALTER TABLE users ADD COLUMN ahead TEXT;\nCREATE TABLE ahead (\n    tenant_id {id} NOT NULL,\n    CONSTRAINT pk_ahead PRIMARY KEY (tenant_id)\n);\n"


# Building


def git(*arguments):
    ran = subprocess.run(["git", "-C", ROOT, *arguments], check=True, capture_output=True, text=True)
    return ran.stdout.strip()


def newest_tag():
    try:
        return git("describe", "--tags", "--abbrev=0")
    except subprocess.CalledProcessError:
        raise SystemExit("no version has a tag yet: give the one before with --from REVISION, or take --ahead") from None


def build(source, target, place):
    """Builds with the folder of compiled dependencies that both share, so that little is compiled twice."""
    print(f"building {place.name} in {source}", flush=True)
    command = ["cargo", "build", "--locked", "--bin", "wardgate"]
    subprocess.run(command, cwd=source, env=without_settings() | {"CARGO_TARGET_DIR": str(target)}, check=True)
    shutil.copy2(target / "debug/wardgate", place)
    return place


def worktree(stack, folder, revision):
    git("worktree", "add", "--detach", str(folder), revision)
    stack.callback(git, "worktree", "remove", "--force", str(folder))
    return folder


def one_migration_more(source):
    listed = source / "crates/wardgate/src/migrations.rs"
    text = listed.read_text()
    number = text.count(' "0') + 1
    name = f"{number:04}_ahead"
    (source / f"crates/wardgate/migrations/{name}.sql").write_text(AHEAD)
    listed.write_text(text.replace("\n];", f'\n    {number} "{name}",\n];'))


def binaries(stack, folder, arguments):
    if arguments.binaries:
        return [Path(binary).resolve() for binary in arguments.binaries]
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve()
    if arguments.ahead:
        old = build(worktree(stack, folder / "here", "HEAD"), target, folder / "old")
        one_migration_more(folder / "here")
        return [old, build(folder / "here", target, folder / "new")]
    before = worktree(stack, folder / "before", arguments.revision or newest_tag())
    return [build(before, target, folder / "old"), build(ROOT, target, folder / "new")]


# Nodes


class Node:
    def __init__(self, version, port, process, log, delayed):
        self.version, self.port, self.process, self.log = version, port, process, log
        # Whether it is still reached for a while after it was told to stop.
        self.delayed = delayed
        self.ready, self.drained, self.stopping = True, False, False


class Fleet:
    """Which nodes there are, and which of them a load balancer would ask."""

    def __init__(self):
        self.nodes, self.turn = [], itertools.count()
        self.over = threading.Event()
        self.watch = threading.Thread(target=self.look, daemon=True)
        self.watch.start()

    def look(self):
        while not self.over.wait(POLL):
            for node in self.nodes:
                node.ready = is_ready(node.port)

    def pick(self):
        nodes = self.nodes
        # Where none is ready all are asked, as load balancers do.
        fit = [node for node in nodes if node.ready and not node.drained] or nodes
        return fit[next(self.turn) % len(fit)] if fit else None


def is_ready(port):
    try:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        connection.request("GET", "/readyz", headers={"host": "auth.example.com"})
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


# Clients


class Tally:
    def __init__(self):
        self.lock = threading.Lock()
        self.good = collections.Counter()
        self.elsewhere = collections.Counter()
        self.bad = []
        self.phase, self.seen = "", 0

    def count(self, counter, kind, version):
        with self.lock:
            counter[kind, version] += 1

    def fail(self, kind, node, what):
        with self.lock:
            self.bad.append((self.phase, kind, node.version if node else "no node", what))

    def begin(self, phase):
        self.phase, self.seen = phase, len(self.bad)
        print(f"\n--- {phase}", flush=True)

    def judge(self):
        """Whether the phase went by without a failure."""
        new = self.bad[self.seen :]
        shown = [f"{kind} at {version}: {what}" for _, kind, version, what in new[:5]]
        step(f"{self.phase}: nothing failed ({sum(self.good.values())} requests so far)", (len(new), shown), (0, []))

    def table(self):
        kinds = sorted({kind for kind, _ in self.good} | {kind for _, kind, _, _ in self.bad})
        failed = collections.Counter((kind, version) for _, kind, version, _ in self.bad)
        rows = [["", "old", "failed", "new", "failed", "went elsewhere"]]
        for kind in kinds:
            counts = [counter[kind, version] for version in ["old", "new"] for counter in [self.good, failed]]
            rows.append([kind, *map(str, counts), str(self.elsewhere[kind, "old"] + self.elsewhere[kind, "new"])])
        widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
        for row in rows:
            print("  ".join([row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:]))]))


class Client(threading.Thread):
    """Does one thing over and over, with connections that it keeps."""

    def __init__(self, fleet, tally, email):
        super().__init__(daemon=True)
        self.fleet, self.tally, self.email = fleet, tally, email
        self.connections = {}
        self.halt = threading.Event()

    def run(self):
        try:
            self.prepare()
            while not self.halt.wait(PAUSE):
                self.once()
        except Exception as error:
            self.tally.fail(type(self).__name__, None, f"the client itself: {error!r}")

    def prepare(self):
        self.tokens = self.sign_in()

    def ask(self, kind, method, path, fields=(), content=None, node=None, expected=200):
        """The answer as JSON and its headers; None where it is not the right one, which is counted."""
        body = json.dumps(content).encode() if content is not None else None
        headers = {"host": "auth.example.com", "x-forwarded-proto": "https", **dict(fields)}
        if body is not None:
            headers["content-type"] = "application/json"
        patience = time.monotonic() + WITHIN
        while time.monotonic() < patience:
            at = node or self.fleet.pick()
            if at is None:
                time.sleep(PAUSE)
                continue
            connection, kept = self.connections.pop(at.port, None), True
            if connection is None:
                connection, kept = http.client.HTTPConnection("127.0.0.1", at.port, timeout=WITHIN), False
            try:
                if not kept:
                    connection.connect()
            except OSError:
                self.tally.count(self.tally.elsewhere, kind, at.version)
                time.sleep(PAUSE)
                continue
            try:
                connection.request(method, path, body, headers)
                answer = connection.getresponse()
                text = answer.read()
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                # Closed while it waited for the next request; on a new one somebody was let in and shown out.
                if kept or at.stopping and self.fleet.nodes == [at]:
                    self.tally.count(self.tally.elsewhere, kind, at.version)
                else:
                    self.tally.fail(kind, at, f"cut off: {error!r}")
                continue
            if answer.will_close:
                connection.close()
            else:
                self.connections[at.port] = connection
            if answer.status != expected:
                self.tally.fail(kind, at, f"{answer.status} {text[:200]!r}")
                return None
            self.tally.count(self.tally.good, kind, at.version)
            return (json.loads(text) if text else {}), answer.headers
        self.tally.fail(kind, None, f"no node took it within {WITHIN} s")
        return None

    def sign_in(self):
        while not self.halt.is_set():
            content = {"email": self.email, "password": PASSWORD}
            if answer := self.ask("sign in", "POST", "/auth/login", content=content):
                return answer[0]
            time.sleep(1)

    def me(self, kind, *field, **more):
        return self.ask(kind, "GET", "/auth/me", [field], **more)


def bearer(tokens):
    return "authorization", f"Bearer {tokens['access_token']}"


class SignsIn(Client):
    def once(self):
        self.sign_in()
        # Each costs a hash.
        self.halt.wait(0.2)


class Refreshes(Client):
    def once(self):
        content = {"refresh_token": self.tokens["refresh_token"]}
        answer = self.ask("refresh", "POST", "/auth/refresh", content=content)
        self.tokens = answer[0] if answer else self.sign_in()
        self.me("me with the token just made", *bearer(self.tokens))


class ShowsToken(Client):
    def once(self):
        self.me("me with one token all the time", *bearer(self.tokens))


class ShowsCookie(Client):
    def prepare(self):
        answer = self.ask("session", "POST", "/auth/session", content={"email": self.email, "password": PASSWORD})
        self.cookie = answer[1]["set-cookie"].split(";")[0]

    def once(self):
        self.me("me with a cookie", "cookie", self.cookie)


class ShowsKey(Client):
    def prepare(self):
        made = self.ask("make a key", "POST", "/auth/api-keys", [bearer(self.sign_in())], {"name": "rolling"}, expected=201)
        self.key = made[0]["key"]

    def once(self):
        self.me("me with an API key", "x-api-key", self.key)


class ReadsKeys(Client):
    """As a resource server does: what signs must be among what is published."""

    def once(self):
        answer = self.ask("jwks", "GET", "/.well-known/jwks.json")
        if answer and not answer[0].get("keys"):
            self.tally.fail("jwks", None, "no keys")


class SignsOut(Client):
    """What is signed out at one node is signed out at each."""

    def prepare(self):
        pass

    def once(self):
        tokens = self.sign_in()
        if tokens and self.ask("sign out", "POST", "/auth/logout", [bearer(tokens)], expected=204):
            for _ in range(4):
                self.me("me after signing out is 401", *bearer(tokens), expected=401)
        self.halt.wait(0.5)


CLIENTS = [SignsIn, Refreshes, Refreshes, ShowsToken, ShowsCookie, ShowsKey, ReadsKeys, SignsOut]


class Load:
    """All clients at work, from `with` to its end."""

    def __init__(self, fleet, emails, kinds=CLIENTS):
        self.tally = Tally()
        self.clients = [kind(fleet, self.tally, email) for kind, email in zip(kinds, emails)]
        self.tally.clients = self.clients

    def __enter__(self):
        for client in self.clients:
            client.start()
        return self.tally

    def __exit__(self, *_):
        for client in self.clients:
            client.halt.set()
        for client in self.clients:
            client.join(WITHIN)


# Rolling


class Site:
    """One database, and the nodes on it."""

    def __init__(self, stack, folder, old, new, settings):
        self.stack, self.folder, self.settings = stack, folder, settings
        self.programs = {"old": old, "new": new}
        self.delayed = {version: "shutdown_delay" in tool(program, {}, "config", "schema") for version, program in self.programs.items()}
        self.fleet, self.number = Fleet(), itertools.count(1)
        stack.callback(self.fleet.over.set)

    def of(self, version):
        delay = {"WARDGATE_SERVER__SHUTDOWN_DELAY": f"{int(DELAY * 1000)}ms"} if self.delayed[version] else {}
        return self.settings | delay

    def data(self):
        return ["--data-dir", self.folder / "data"]

    def run(self, version, *arguments, **more):
        return tool(self.programs[version], self.settings, *arguments, *self.data(), **more)

    def people(self):
        emails = [f"user{number}@example.com" for number in range(len(CLIENTS))]
        for email in emails:
            self.run("old", "user", "create", "--email", email, "--password-stdin", given=PASSWORD)
        return emails

    def add(self, version):
        name = f"{version}-{next(self.number)}"
        port, process, log = serve(self.stack, self.folder, name, self.programs[version], self.of(version), *self.data())
        patience = time.monotonic() + WITHIN
        while not is_ready(port) and time.monotonic() < patience:
            time.sleep(POLL)
        step(f"{name} starts and is ready", is_ready(port), True)
        node = Node(version, port, process, log, self.delayed[version])
        self.fleet.nodes = [*self.fleet.nodes, node]
        return node

    def stop(self, node):
        """By the signal alone, where the program stays for those who have not seen it yet."""
        if not node.delayed:
            node.drained = True
            time.sleep(DELAY)
        node.stopping = True
        stop(node.process)
        self.fleet.nodes = [other for other in self.fleet.nodes if other is not node]
        step(f"the {node.version} node ends well", node.process.returncode, 0)

    def migrate(self, seconds):
        pending = json.loads(self.run("new", "migrate", "--dry-run", "--json"))["migrations"]
        print(f"new migrations: {', '.join(pending) or 'none'}", flush=True)
        applied = json.loads(self.run("new", "migrate", "--json"))["migrations"]
        step("what was applied is what was announced", applied, pending)
        step("and nothing is left", json.loads(self.run("new", "migrate", "--dry-run", "--json"))["migrations"], [])
        time.sleep(seconds)
        step("the old nodes are still ready", [is_ready(node.port) for node in self.fleet.nodes], [True] * len(self.fleet.nodes))
        return pending

    def old_comes_back(self, pending):
        """It may not, since it does not know what the new schema means; where nothing changed it may."""
        if not pending:
            self.stop(self.add("old"))
            return
        command = [self.programs["old"], "serve", "--listen", f"127.0.0.1:{free_port()}", *self.data()]
        process, log = start(self.stack, self.folder, "back", command, **self.settings)
        code = process.wait(WITHIN)
        says = "migrated by a newer program" in log.read_text(errors="replace")
        step("an old program refuses the new schema, and says why", (code != 0, says), (True, True))


def on_postgres(site, seconds):
    site.run("old", "migrate")
    emails = site.people()
    first, second = site.add("old"), site.add("old")
    with Load(site.fleet, emails) as tally:

        def phase(name, *steps):
            tally.begin(name)
            made = [what() for what in steps]
            time.sleep(seconds)
            tally.judge()
            return made

        phase("PostgreSQL: old alone")
        [pending] = phase("PostgreSQL: the new program migrates, the old one serves", lambda: site.migrate(seconds))
        [third] = phase("PostgreSQL: old and new side by side", lambda: site.add("new"))
        phase("PostgreSQL: one old node stops", lambda: site.stop(first))
        phase("PostgreSQL: new alone", lambda: site.add("new"), lambda: site.stop(second))
        phase("PostgreSQL: a new node is replaced", lambda: site.add("new"), lambda: site.stop(third))
        phase("PostgreSQL: an old one comes back", lambda: site.old_comes_back(pending))
    print()
    tally.table()


def on_sqlite(site, seconds):
    site.run("old", "migrate")
    emails = site.people()
    first = site.add("old")
    with Load(site.fleet, emails) as tally:
        tally.begin("SQLite: old")
        time.sleep(seconds)
        tally.judge()
        tally.begin("SQLite: the new program migrates, the old one serves")
        pending = site.migrate(seconds)
        tally.judge()
        tally.begin("SQLite: new in its place")
        site.stop(first)
        site.add("new")
        time.sleep(seconds)
        tally.judge()
    site.stop(site.fleet.nodes[0])
    site.old_comes_back(pending)
    print()
    tally.table()


def query(url, sql):
    """Runs one statement, with every tenant's rows in sight."""
    psql = shutil.which("psql") or max(map(str, Path("/usr/lib/postgresql").glob("*/bin/psql")))
    sight = os.environ | {"PGOPTIONS": "-c wardgate.tenant=all"}
    subprocess.run([psql, url, "--no-psqlrc", "--quiet", "--command", sql], env=sight, check=True)


def drop(url, name):
    """A vacuum of the server's own may be at it, which is not ours to end, and soon over."""
    patience = time.monotonic() + WITHIN
    while time.monotonic() < patience:
        try:
            return query(url, f"DROP DATABASE {name} WITH (FORCE)")
        except subprocess.CalledProcessError:
            time.sleep(POLL)
    print(f"the database {name} could not be dropped", flush=True)


def database(stack, folder):
    """A database of its own, and nothing left of it."""
    url = os.environ.get("WARDGATE_TEST_POSTGRES")
    if not url:
        script = [ROOT / ".ci/postgres.sh"]
        own = {"WARDGATE_CI_POSTGRES_DIR": f"{folder}.postgres", "WARDGATE_CI_POSTGRES_PORT": str(free_port())}
        stack.callback(subprocess.run, [*script, "--stop"], env=os.environ | own, check=True)
        url = subprocess.run(script, env=os.environ | own, check=True, capture_output=True, text=True).stdout.strip()
    name = f"wardgate_rolling_{uuid.uuid4().hex[:12]}"
    query(url, f"CREATE DATABASE {name}")
    stack.callback(drop, url, name)
    base, question, rest = url.partition("?")
    return f"{base.rpartition('/')[0]}/{name}{question}{rest}"


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--from", dest="revision")
    parser.add_argument("--ahead", action="store_true")
    parser.add_argument("--binaries", nargs=2)
    parser.add_argument("--seconds", type=float, default=8)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="wardgate-rolling-") as name, ExitStack() as stack:
        folder = Path(name)
        old, new = binaries(stack, folder, arguments)
        settings = production(ISSUER) | LIMITS
        for run, more in [
            (on_postgres, {"WARDGATE_DATABASE__URL": database(stack, folder), "WARDGATE_DATABASE__POOL_SIZE": "6"}),
            (on_sqlite, {}),
        ]:
            place = folder / run.__name__
            place.mkdir()
            run(Site(stack, place, old, new, settings | more), arguments.seconds)
    end()


if __name__ == "__main__":
    main()
