"""Runs Wardgate behind nginx, Caddy, HAProxy and Traefik, as docs/how-to/behind-a-proxy.md has them, and tries to be
somebody else (S-137).

    python e2e.py PATH_OF_THE_WARDGATE_BINARY

The configurations are the page's; only addresses, names of files and Caddy's way to a certificate are the test's. Prints a
line a step and closes with `N passed, N failed`; exits 1 if one failed. Needs nginx, caddy, haproxy, traefik and
openssl.
"""

import hashlib
import itertools
import json
import os
import re
import shutil
import socket
import socketserver
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from harness import EMAIL, PASSWORD, WITHIN, end, free_port, production, serve, start, step, stop, tool, until_it_listens

PAGE = Path(__file__).resolve().parents[2] / "docs/how-to/behind-a-proxy.md"
HOST = "app.example.com"
EVIL = "mallory"
IDENTITY = ["X-Auth-Subject", "X-Auth-Email", "X-Auth-Roles", "X-Auth-Scope", "X-Auth-Tenant", "X-Auth-Org"]
BELIEVED = ["X-User", "Remote-User", "X-Remote-User", "X-Forwarded-User", "X-Forwarded-Email"]
OTHER = "acme"  # another tenant, whom no client may name


class Application(socketserver.ThreadingTCPServer):
    """What is protected: keeps each request byte for byte, trailers and all, and answers 200."""

    allow_reuse_address = daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Answer)
        self.requests = []
        self.port = self.server_address[1]
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def take(self):
        """The requests since the last time."""
        taken, self.requests = self.requests, []
        return taken


class Answer(socketserver.StreamRequestHandler):
    def handle(self):
        head = b""
        while line := self.rfile.readline():
            head += line
            if line == b"\r\n":
                break
        if not head:
            return
        fields = dict(
            (name.strip().lower(), value.strip())
            for name, _, value in (line.partition(b":") for line in head.split(b"\r\n")[1:] if line)
        )
        body, trailers = b"", b""
        if fields.get(b"transfer-encoding", b"").lower() == b"chunked":
            while size := int(self.rfile.readline().split(b";")[0], 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            while (line := self.rfile.readline()) not in (b"\r\n", b""):
                trailers += line
        else:
            body = self.rfile.read(int(fields.get(b"content-length", 0)))
        self.server.requests.append(Request(head, body, trailers))
        self.wfile.write(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nnotes")


class Request:
    def __init__(self, head, body, trailers):
        self.bytes, self.body, self.trailers = head + trailers, body, trailers
        self.line, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
        self.fields = [tuple(part.strip() for part in line.split(":", 1)) for line in lines]

    def identity(self):
        """What an application reads that takes `-` and `_` for one, as CGI does; empty is absent."""
        names = {name.upper().replace("-", "_") for name in IDENTITY + BELIEVED}
        read = {}
        for name, value in self.fields:
            name = name.upper().replace("-", "_")
            if name in names and value:
                read.setdefault(name, []).append(value)
        return read

    def values(self, name):
        return [value for field, value in self.fields if field.lower() == name.lower()]


class Reply:
    def __init__(self, raw):
        head, _, self.body = raw.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        found = re.match(r"HTTP/1\.[01] (\d+)", lines[0])
        self.status = int(found.group(1)) if found else 0
        self.fields = {
            name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])
        }
        if self.fields.get("transfer-encoding") == "chunked":
            self.body = unchunked(self.body)

    def json(self):
        return json.loads(self.body)


def unchunked(data):
    body = b""
    while data:
        size, _, data = data.partition(b"\r\n")
        size = int(size, 16)
        body, data = body + data[:size], data[size + 2 :] if size else b""
    return body


def send(port, data, tls):
    """Sends bytes and reads until the other side has ended."""
    with socket.create_connection(("127.0.0.1", port), WITHIN) as plain:
        connection = tls.wrap_socket(plain, server_hostname=HOST) if tls else plain
        with connection:
            try:
                connection.sendall(data)
                raw = b""
                while part := connection.recv(65536):
                    raw += part
            except (ConnectionError, ssl.SSLError):
                pass
            return Reply(raw)


class Proxy:
    """One that runs; asks it in bytes, since no client library sends what an attacker does."""

    def __init__(self, name, port, tls):
        self.name, self.port, self.tls = name, port, tls

    def ask(self, method, path, fields=(), body=None, host=HOST):
        lines = [f"{method} {path} HTTP/1.1".encode(), b"host: " + host.encode()]
        connection = [value for name, value in fields if name.lower() == "connection"]
        if not connection:
            lines.append(b"connection: close")
        lines += [f"{name}: {value}".encode("latin-1") for name, value in fields]
        if body is not None:
            lines.append(f"content-length: {len(body)}".encode())
        return self.send(b"\r\n".join(lines) + b"\r\n\r\n" + (body or b""))

    def send(self, data):
        return send(self.port, data, self.tls)

    def post(self, path, content, fields=()):
        body = json.dumps(content).encode()
        return self.ask("POST", path, [("content-type", "application/json"), *fields], body)


def block(language):
    """A configuration out of the page."""
    found = re.search(rf"^```{language}\n(.*?)^```", PAGE.read_text(), re.S | re.M)
    return found.group(1)


def replaced(text, changes):
    for old, new in changes.items():
        if old not in text:
            raise SystemExit(f"{old!r} is not in {PAGE}")
        text = text.replace(old, new)
    return text


def certificate(folder):
    chain, key = folder / "chain.pem", folder / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    command += ["-subj", f"/CN={HOST}", "-addext", f"subjectAltName=DNS:{HOST}", "-out", chain, "-keyout", key]
    subprocess.run(command, check=True, capture_output=True)
    return chain, key


def wardgate(stack, folder, binary):
    """Port and process of a production server with two tenants and a user in one."""
    settings = production(f"https://{HOST}") | {"WARDGATE_SERVER__TENANT_HEADER": "x-tenant"}
    data = ["--data-dir", folder / "data"]
    port, process, _ = serve(stack, folder, "wardgate", binary, settings, *data)
    tool(binary, settings, "user", "create", "--email", EMAIL, "--password-stdin", *data, given=PASSWORD)
    tool(binary, settings, "tenant", "create", "--name", OTHER, OTHER, *data)
    return port, process


def nginx(stack, folder, upstream, application, chain, key, tls):
    port = free_port()
    changes = {
        "127.0.0.1:8080": f"127.0.0.1:{upstream}",
        "127.0.0.1:3000": f"127.0.0.1:{application}",
        "listen 443 ssl": f"listen 127.0.0.1:{port} ssl",
        f"/etc/ssl/{HOST}.pem": str(chain),
        f"/etc/ssl/{HOST}.key": str(key),
    }
    temporary = "".join(
        f"    {kind}_temp_path {folder}/nginx-{kind};\n" for kind in ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    )
    user = "user root;\n" if os.geteuid() == 0 else ""
    text = f"{user}pid {folder}/nginx.pid;\nerror_log stderr;\nevents {{}}\nhttp {{\n    access_log off;\n{temporary}"
    (folder / "nginx.conf").write_text(text + replaced(block("nginx"), changes) + "}\n")
    command = [shutil.which("nginx") or "/usr/sbin/nginx", "-p", folder, "-c", folder / "nginx.conf"]
    process, log = start(stack, folder, "nginx", [*command, "-g", "daemon off;"])
    until_it_listens("nginx", port, process, log)
    return Proxy("nginx", port, tls)


def caddy(stack, folder, upstream, application, chain, key, tls):
    port = free_port()
    changes = {
        "127.0.0.1:8080": f"127.0.0.1:{upstream}",
        "127.0.0.1:3000": f"127.0.0.1:{application}",
        f"{HOST} {{\n": f"https://{HOST}:{port} {{\n\ttls {chain} {key}\n",
    }
    text = "{\n\tadmin off\n\tauto_https disable_redirects\n}\n" + replaced(block("caddy"), changes)
    (folder / "Caddyfile").write_text(text)
    command = ["caddy", "run", "--config", folder / "Caddyfile", "--adapter", "caddyfile"]
    homes = {name: str(folder / "caddy") for name in ["HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"]}
    process, log = start(stack, folder, "caddy", command, **homes)
    until_it_listens("caddy", port, process, log)
    return Proxy("Caddy", port, tls)


def haproxy(stack, folder, upstream, application, chain, key, tls):
    port, both = free_port(), folder / "haproxy.pem"
    both.write_text(chain.read_text() + key.read_text())
    script = folder / "wardgate.lua"
    script.write_text(replaced(block("lua"), {"127.0.0.1:8080": f"127.0.0.1:{upstream}"}))
    changes = {
        "/etc/haproxy/wardgate.lua": str(script),
        "127.0.0.1:8080": f"127.0.0.1:{upstream}",
        "127.0.0.1:3000": f"127.0.0.1:{application}",
        "bind :443": f"bind 127.0.0.1:{port}",
        f"/etc/ssl/{HOST}.pem": str(both),
    }
    (folder / "haproxy.cfg").write_text(replaced(block("haproxy"), changes))
    program = shutil.which("haproxy") or "/usr/sbin/haproxy"
    process, log = start(stack, folder, "haproxy", [program, "-db", "-f", folder / "haproxy.cfg"])
    until_it_listens("haproxy", port, process, log)
    return Proxy("HAProxy", port, tls)


def traefik(stack, folder, upstream, application, chain, key, tls):
    port = free_port()
    changes = {"127.0.0.1:8080": f"127.0.0.1:{upstream}", "127.0.0.1:3000": f"127.0.0.1:{application}"}
    given = f"tls:\n  certificates:\n    - certFile: {chain}\n      keyFile: {key}\n"
    (folder / "dynamic.yaml").write_text(given + replaced(block("yaml"), changes))
    command = ["traefik", f"--entryPoints.websecure.address=127.0.0.1:{port}"]
    command += [f"--providers.file.filename={folder}/dynamic.yaml", "--global.checkNewVersion=false"]
    process, log = start(stack, folder, "traefik", command)
    until_it_listens("traefik", port, process, log)
    proxy = Proxy("Traefik", port, tls)
    # It listens before it has read what to do.
    deadline = time.monotonic() + WITHIN
    while time.monotonic() < deadline and not knows_the_way(proxy):
        time.sleep(0.05)
    return proxy


def knows_the_way(proxy):
    try:
        return proxy.ask("GET", "/.well-known/jwks.json").status == 200
    except (ConnectionError, ssl.SSLError):
        return False


def spellings(name):
    """Everything that somebody may read as `name`."""
    parts = name.split("-")
    for signs in itertools.product("-_", repeat=len(parts) - 1):
        joined = "".join(part + sign for part, sign in zip(parts, [*signs, ""]))
        yield from dict.fromkeys([joined, joined.lower(), joined.upper(), joined.swapcase()])


def smuggled(name):
    """Header lines that try to bring `name` past a proxy."""
    for spelling in spellings(name):
        yield f"{spelling}: {EVIL}"
    yield f"{name}:{EVIL}"
    yield f"{name}: {EVIL}\r\n{name}: {EVIL}"
    yield f"{name}: \r\n{name}: {EVIL}"
    yield f"{name} : {EVIL}"
    yield f"{name}\t: {EVIL}"
    yield f" {name}: {EVIL}"
    yield f"X-Harmless: 1\r\n {name}: {EVIL}"
    yield f"X-Harmless: 1\n{name}: {EVIL}"
    yield f"X-Harmless: 1\r{name}: {EVIL}"
    yield f"{name}\x00: {EVIL}"
    yield f"{name}\x0b: {EVIL}"
    yield f"{name}.: {EVIL}"
    yield f"\xef\xbb\xbf{name}: {EVIL}"
    yield f"{name}: {EVIL}\r\nConnection: close, {name}"


def try_to_be_somebody_else(proxy, application, bearer, own):
    for credential, allowed in [([], {400, 401}), ([f"authorization: {bearer}"], {200, 400})]:
        for name in IDENTITY + BELIEVED:
            tried, wrong = 0, []
            for line in smuggled(name):
                lines = [f"GET /notes HTTP/1.1\r\nhost: {HOST}", *credential, line]
                if "Connection:" not in line:
                    lines.append("connection: close")
                reply = proxy.send(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))
                requests = application.take()
                tried += 1
                # Folded onto the line before, which is the credential: it is no credential then.
                folded = {401} if line.startswith(" ") else set()
                fine = reply.status in allowed | folded and len(requests) == (reply.status == 200)
                evil = any(EVIL.encode() in request.bytes for request in requests if not harmless(request, name))
                if not fine or evil or any(request.identity() != own for request in requests):
                    wrong.append((line, reply.status, [request.bytes for request in requests]))
            who = "somebody" if credential else "nobody"
            step(f"{proxy.name}: {name} in {tried} spellings, sent by {who}", wrong[:2], [])


def harmless(request, name):
    """A name that no application takes for this one may go on: `X-Auth-Subject.` is another."""
    return not any(
        EVIL in value and field.upper().replace("-", "_") == name.upper().replace("-", "_")
        for field, value in request.fields
    ) and not request.trailers


def run(proxy, application, direct):
    def taken():
        return [request.identity() for request in application.take()]

    # Who may not.
    expected = send(direct, f"GET /auth/verify HTTP/1.1\r\nhost: {HOST}\r\nconnection: close\r\n\r\n".encode(), None)
    reply = proxy.ask("GET", "/notes")
    challenge = expected.fields["www-authenticate"]
    step(f"{proxy.name}: nobody", (reply.status, reply.fields.get("www-authenticate")), (401, challenge))
    reply = proxy.ask("GET", "/notes", [("authorization", "Bearer wrong")])
    wrong = (reply.status, "invalid_token" in reply.fields.get("www-authenticate", ""))
    step(f"{proxy.name}: a wrong token", wrong, (401, True))
    step(f"{proxy.name}: a wrong key", proxy.ask("GET", "/notes", [("x-api-key", "wrong")]).status, 403)
    step(f"{proxy.name}: none of them reached the application", taken(), [])

    # Who may.
    signed_in = proxy.post(
        "/auth/login", {"email": EMAIL, "password": PASSWORD}, [("x-forwarded-for", "192.0.2.66")]
    )
    step(f"{proxy.name}: signing in through it", signed_in.status, 200)
    bearer = "Bearer " + signed_in.json()["access_token"]
    me = proxy.ask("GET", "/auth/me", [("authorization", bearer)])
    hsts = me.fields.get("strict-transport-security")
    step(f"{proxy.name}: browsers stay on TLS", hsts, "max-age=31536000; includeSubDomains")
    own = {
        "X_AUTH_SUBJECT": [me.json()["id"]],
        "X_AUTH_EMAIL": [EMAIL],
        "X_AUTH_ROLES": ["user"],
        "X_AUTH_TENANT": ["default"],
    }
    reply = proxy.ask("GET", "/notes", [("authorization", bearer)])
    step(f"{proxy.name}: a right token", (reply.status, reply.body, taken()), (200, b"notes", [own]))
    made = proxy.post(
        "/auth/api-keys", {"name": "reader", "scopes": ["profile:read"]}, [("authorization", bearer)]
    ).json()
    limited = own | {"X_AUTH_SCOPE": ["profile:read"]}
    reply = proxy.ask("GET", "/notes", [("x-api-key", made["key"])])
    step(f"{proxy.name}: a key with a scope", (reply.status, taken()), (200, [limited]))
    for dropped in ["X-Auth-Scope", "close, x-auth-scope", "keep-alive, X-Auth-Scope, X-Auth-Roles"]:
        fields = [("x-api-key", made["key"]), ("connection", dropped), ("connection", "close")]
        reply = proxy.ask("GET", "/notes", fields)
        kept = (reply.status, taken()) in [(400, []), (200, [limited])]
        step(f"{proxy.name}: its limit stays, whatever Connection says: {dropped}", kept, True)

    # A cookie, and pages of other sites.
    session = proxy.post("/auth/session", {"email": EMAIL, "password": PASSWORD})
    cookie = ("cookie", session.fields["set-cookie"].split(";")[0])
    foreign, home = ("origin", "https://evil.example"), ("origin", f"https://{HOST}")
    step(f"{proxy.name}: a page of its own", proxy.ask("POST", "/notes", [cookie, home], b"").status, 200)
    application.take()
    lies = [
        [],
        [("x-forwarded-method", "GET")],
        [("x-original-method", "GET")],
        [("x-forwarded-method", "GET"), ("x-original-method", "GET")],
        [("x-forwarded-host", "evil.example")],
    ]
    for lie in lies:
        reply = proxy.ask("POST", "/notes", [cookie, foreign, *lie], b"")
        step(f"{proxy.name}: another site's page that says {lie}", (reply.status, taken()), (403, []))

    # The request itself.
    body = os.urandom(300_000)
    proxy.ask("PUT", "/a%20b/c?x=1&y=%2F&z", [("authorization", bearer)], body)
    requests = application.take()
    got = [(request.line, hashlib.sha256(request.body).hexdigest()) for request in requests]
    step(
        f"{proxy.name}: method, path, query and body are those that were sent",
        got,
        [("PUT /a%20b/c?x=1&y=%2F&z HTTP/1.1", hashlib.sha256(body).hexdigest())],
    )
    head = f"POST /notes HTTP/1.1\r\nhost: {HOST}\r\nauthorization: {bearer}\r\nconnection: close\r\n"
    for announced in ["", "trailer: X-Auth-Subject\r\n"]:
        chunked = f"{head}transfer-encoding: chunked\r\n{announced}\r\n"
        reply = proxy.send(f"{chunked}4\r\nbody\r\n0\r\nX-Auth-Subject: {EVIL}\r\n\r\n".encode())
        got = [(request.body, request.identity(), EVIL.encode() in request.bytes) for request in application.take()]
        # HAProxy passes trailers on, so that a body in chunks is refused there.
        right = [] if proxy.name == "HAProxy" else [(b"body", own, False)]
        status = 411 if proxy.name == "HAProxy" else 200
        what = announced.strip() or "unannounced"
        step(f"{proxy.name}: a body in chunks, and no trailer, {what}", (reply.status, got), (status, right))
    inner = f"GET /smuggled HTTP/1.1\r\nhost: {HOST}\r\nX-Auth-Subject: {EVIL}\r\n\r\n"
    both = f"{head}content-length: {len(inner) + 5}\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n{inner}"
    proxy.send(both.encode())
    lines = [request.line for request in application.take()]
    step(f"{proxy.name}: a request inside a body stays there", any("smuggled" in line for line in lines), False)

    # The address.
    proxy.ask("GET", "/notes", [("authorization", bearer), ("x-forwarded-for", "192.0.2.66")])
    told = [request.values("x-forwarded-for") for request in application.take()]
    step(f"{proxy.name}: the application is told the client's address", told, [["127.0.0.1"]])
    sessions = proxy.ask("GET", "/auth/sessions", [("authorization", bearer), ("x-forwarded-for", "192.0.2.66")])
    step(f"{proxy.name}: and so is Wardgate", (sessions.status, b"192.0.2" in sessions.body), (200, False))

    # The tenant.
    named = ("x-tenant", OTHER)
    keys = proxy.ask("GET", "/.well-known/jwks.json").body
    directly = send(
        direct, f"GET /.well-known/jwks.json HTTP/1.1\r\nhost: {HOST}\r\nx-tenant: {OTHER}\r\nconnection: close\r\n\r\n".encode(), None
    ).body
    step(f"{proxy.name}: whoever names a tenant to Wardgate itself gets its keys", directly != keys, True)
    step(f"{proxy.name}: not so through the proxy", proxy.ask("GET", "/.well-known/jwks.json", [named]).body, keys)
    me = proxy.ask("GET", "/auth/me", [("authorization", bearer), named])
    step(f"{proxy.name}: a client names no tenant to Wardgate", me.status, 200)
    reply = proxy.ask("GET", "/notes", [("authorization", bearer), named])
    step(f"{proxy.name}: nor to who is asked", (reply.status, taken()), (200, [own]))

    # Paths that look like Wardgate's.
    paths = ["/auth/../notes", "/auth/%2e%2e/notes", "/auth/%2e%2e%2fnotes", "//notes", "/./notes", "/%6eotes"]
    paths += ["/notes/", "/notes#/auth/me", "/notes?/auth/", "/auth/..;/notes", "/.well-known/jwks.json/../../notes"]
    paths += ["/_verify", "/auth\\..\\notes", f"https://{HOST}/notes"]
    statuses = {path: proxy.ask("GET", path).status for path in paths}
    step(f"{proxy.name}: no path leads past the question: {statuses}", taken(), [])

    try_to_be_somebody_else(proxy, application, bearer, own)


def main():
    binary = str(Path(sys.argv[1]).resolve())
    with tempfile.TemporaryDirectory(prefix="wardgate-proxy-") as name, ExitStack() as stack:
        folder = Path(name)
        chain, key = certificate(folder)
        tls = ssl.create_default_context(cafile=chain)
        application = Application()
        stack.callback(application.shutdown)
        direct, process = wardgate(stack, folder, binary)
        proxies = []
        for make in [nginx, caddy, haproxy, traefik]:
            proxies.append(make(stack, folder, direct, application.port, chain, key, tls))
            run(proxies[-1], application, direct)
        stop(process)
        for proxy in proxies:
            reply = proxy.ask("GET", "/notes", [("authorization", "Bearer of anything")])
            step(f"{proxy.name}: with Wardgate gone nobody passes", (reply.status >= 500, application.take()), (True, []))
    end()


if __name__ == "__main__":
    main()
