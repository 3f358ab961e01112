"""Runs Wardgate and the application of main.py, and goes through an account's life as a client sees it.

    python e2e.py PATH_OF_THE_WARDGATE_BINARY        (or the path in WARDGATE_BIN)

Prints a line a step and closes with `N passed, N failed`; exits 1 if one failed.
"""

import base64
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import ModuleType, SimpleNamespace

import httpx
import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

HERE = Path(__file__).resolve().parent
EMAIL, PASSWORD = "ada@example.com", "violet anchor canyon drum"
STARTED_WITHIN = 60  # seconds; only a server that hangs uses them up

passed, failed = 0, 0


def step(text: str, got: object, expected: object) -> None:
    """Prints whether a step went as expected."""
    global passed, failed
    if got == expected:
        passed += 1
        print(f"ok    {text}", flush=True)
    else:
        failed += 1
        print(f"FAIL  {text}\n      expected {expected!r}\n      got      {got!r}", flush=True)


class Server:
    """A process that prints its address when it listens."""

    def __init__(self, command: list[str], announces: str, **more: str) -> None:
        inherited = {name: text for name, text in os.environ.items() if not name.startswith("WARDGATE_")}
        self.process = subprocess.Popen(
            command,
            cwd=HERE,
            env=inherited | more,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.lines: list[str] = []
        self.url = ""
        self.listening = threading.Event()
        self.reader = threading.Thread(target=self._read, args=(re.compile(announces),), daemon=True)
        self.reader.start()

    def _read(self, announces: re.Pattern[str]) -> None:
        # To the end, or the process would block on a full pipe.
        for line in self.process.stdout:
            self.lines.append(line)
            if not self.url and (found := announces.search(line)):
                self.url = found.group(1)
                self.listening.set()
        self.listening.set()

    def wait(self) -> "Server":
        self.listening.wait(STARTED_WITHIN)
        if not self.url:
            self.process.kill()
            raise SystemExit(f"{self.process.args} did not start:\n{''.join(self.lines)}")
        return self

    def stop(self) -> int:
        """Sends the stop signal and returns the exit code; kills after 20 seconds."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()


@contextmanager
def running(server: Server):
    try:
        yield server.wait()
    finally:
        if server.process.poll() is None:
            server.stop()
        if failed or sys.exc_info()[0]:
            print(f"--- the last lines of {server.process.args}\n{''.join(server.lines[-20:])}---", flush=True)


def wardgate(binary: str, folder: str) -> Server:
    command = [binary, "serve", "--dev", "--data-dir", folder, "--listen", "127.0.0.1:0"]
    return Server(command, r"listening on (http://127\.0\.0\.1:\d+)")


def application(issuer: str, **more: str) -> Server:
    command = [sys.executable, "-m", "uvicorn", "main:app", "--host", "127.0.0.1", "--port", "0"]
    return Server(command, r"running on (http://127\.0\.0\.1:\d+)", WARDGATE_ISSUER=issuer, **more)


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def status(url: str, token: str) -> int:
    return httpx.get(url, headers=bearer(token)).status_code


def log_in(issuer: str) -> dict[str, object]:
    answer = httpx.post(f"{issuer}/auth/login", data={"username": EMAIL, "password": PASSWORD})
    answer.raise_for_status()
    return answer.json()


def register(issuer: str) -> httpx.Response:
    return httpx.post(f"{issuer}/auth/register", json={"email": EMAIL, "password": PASSWORD, "name": "Ada"})


def import_application(issuer: str) -> ModuleType:
    """The module that the application runs, to ask its `decode` why it refuses: over HTTP it does not say."""
    os.environ["WARDGATE_ISSUER"] = issuer
    sys.path.insert(0, str(HERE))
    import main

    return main


def reason(main: ModuleType, token: str) -> str:
    try:
        main.decode(token)
    except jwt.PyJWTError as error:
        return type(error).__name__
    return "accepted"


def encode(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).rstrip(b"=").decode()


def decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def with_header(token: str, **changes: str) -> list[str]:
    """The three parts of a token, with a changed header."""
    header, payload, signature = token.split(".")
    return [encode(json.dumps(json.loads(decode(header)) | changes).encode()), payload, signature]


def unsigned(token: str) -> str:
    header, payload, _ = with_header(token, alg="none")
    return f"{header}.{payload}."


def flipped(token: str) -> str:
    """The token with one bit of its signature turned over."""
    header, payload, signature = token.split(".")
    bits = bytearray(decode(signature))
    bits[len(bits) // 2] ^= 1
    return f"{header}.{payload}.{encode(bytes(bits))}"


def signed_with_public_key(token: str, issuer: str) -> str:
    """The token signed by HMAC with the public key as the secret, for a check that believes the header's `alg`."""
    public = httpx.get(f"{issuer}/.well-known/jwks.json").json()["keys"][0]["x"]
    header, payload, _ = with_header(token, alg="HS256")
    signature = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256)
    secret = decode(public)
    return f"{header}.{payload}.{encode(signature.sign(f'{header}.{payload}'.encode(), secret))}"


def an_account(issuer: str) -> dict[str, object]:
    answer = register(issuer)
    step("registering answers 201", answer.status_code, 201)
    step("with the user", answer.json().get("email"), EMAIL)
    step("registering the address again answers 409", register(issuer).status_code, 409)
    wrong = httpx.post(f"{issuer}/auth/login", data={"username": EMAIL, "password": PASSWORD + "!"})
    step("a wrong password answers 401", (wrong.status_code, wrong.json()["detail"]), (401, "Incorrect credentials"))
    tokens = log_in(issuer)
    shape = ["access_token", "expires_in", "refresh_token", "token_type"]
    step("the password form gives tokens", (sorted(tokens), tokens["token_type"]), (shape, "bearer"))
    return tokens


def the_application(issuer: str, api: str, access: str) -> None:
    me = httpx.get(f"{issuer}/auth/me", headers=bearer(access)).json()
    answer = httpx.get(f"{api}/users/me", headers=bearer(access))
    step("the application knows the user", (answer.status_code, answer.json().get("id")), (200, me["id"]))
    answer = httpx.get(f"{api}/users/me/items", headers=bearer(access))
    step("and gives them their items", answer.json(), [{"item_id": "Foo", "owner": me["id"]}])
    answer = httpx.get(f"{api}/users/me/profile", headers=bearer(access))
    step("and what Wardgate knows of them", answer.json(), {"email": EMAIL, "name": "Ada"})
    answer = httpx.get(f"{api}/users/me")
    challenge = answer.headers.get("www-authenticate")
    step("no token answers 401 with a challenge", (answer.status_code, challenge), (401, "Bearer"))


def refused_tokens(main: ModuleType, issuer: str, api: str, tokens: dict[str, object], foreign: str) -> None:
    access = tokens["access_token"]
    forged = {
        "a token of another issuer": (foreign, "PyJWKClientError"),
        "an unsigned token": (unsigned(access), "InvalidAlgorithmError"),
        "a token with one bit of its signature flipped": (flipped(access), "InvalidSignatureError"),
        "a token signed with the public key": (signed_with_public_key(access, issuer), "InvalidAlgorithmError"),
        "a refresh token": (tokens["refresh_token"], "DecodeError"),
    }
    step("an access token is accepted", (status(f"{api}/users/me", access), reason(main, access)), (200, "accepted"))
    for name, (token, why) in forged.items():
        answer = httpx.get(f"{api}/users/me", headers=bearer(token))
        challenge = answer.headers.get("www-authenticate")
        step(f"{name} is refused", (answer.status_code, challenge, reason(main, token)), (401, "Bearer", why))
        step("  and by Wardgate", status(f"{issuer}/auth/me", token), 401)


def wrong_audience_and_end(issuer: str, access: str) -> None:
    """The same token at an application with another name, and at one whose clock is a day ahead."""
    with running(application(issuer, WARDGATE_AUDIENCE="https://other.example")) as other:
        step("a token for another audience is refused", status(f"{other.url}/users/me", access), 401)
    with running(application(issuer, TOKEN_LEEWAY_SECONDS="-86400")) as tomorrow:
        step("a token that has ended is refused", status(f"{tomorrow.url}/users/me", access), 401)


def rules_of_their_own(main: ModuleType, issuer: str) -> None:
    """Tokens signed by a key that the application trusts, each with one thing wrong: what is left once the
    signature is good."""
    key = Ed25519PrivateKey.generate()
    public = jwt.PyJWK(jwt.algorithms.OKPAlgorithm.to_jwk(key.public_key(), as_dict=True) | {"alg": "EdDSA"})
    main.keys = SimpleNamespace(get_signing_key_from_jwt=lambda token: public)
    claims = {"iss": issuer, "aud": issuer, "sub": "usr_1", "exp": int(time.time()) + 60}

    def why(typ: str = "at+jwt", **changes: object) -> str:
        changed = {name: value for name, value in (claims | changes).items() if value is not None}
        return reason(main, jwt.encode(changed, key, "EdDSA", headers={"typ": typ}))

    step("a good token of a trusted key is accepted", why(), "accepted")
    step("of another issuer it is refused", why(iss=issuer + "0"), "InvalidIssuerError")
    step("for another audience too", why(aud=issuer + "/"), "InvalidAudienceError")
    step("after its end too", why(exp=int(time.time()) - 60), "ExpiredSignatureError")
    step("without an end too", why(exp=None), "MissingRequiredClaimError")
    step("of another kind too", why(typ="JWT"), "InvalidTokenError")


def roles(binary: str, folder: str, issuer: str, api: str, access: str) -> None:
    report = f"{api}/admin/report"
    answer = httpx.get(report, headers=bearer(access))
    refusal = (403, "Insufficient permissions")
    step("a user may not read the report", (answer.status_code, answer.json()["detail"]), refusal)
    command = [binary, "user", "set-role", "--email", EMAIL, "--role", "admin", "--data-dir", folder]
    made = subprocess.run(command, cwd=HERE, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    step("the command line makes them an admin", (made.returncode, made.stderr if made.returncode else ""), (0, ""))
    step("the old token does not know", status(report, access), 403)
    step("a new one does", status(report, log_in(issuer)["access_token"]), 200)


def refreshing(issuer: str, api: str, old: dict[str, object]) -> dict[str, object]:
    answer = httpx.post(f"{issuer}/auth/refresh", json={"refresh_token": old["refresh_token"]})
    step("refreshing answers 200", answer.status_code, 200)
    new = answer.json()
    step("with another refresh token", new["refresh_token"] != old["refresh_token"], True)
    step("the new access token is accepted", status(f"{api}/users/me", new["access_token"]), 200)
    step("the old one is until its end", status(f"{api}/users/me", old["access_token"]), 200)
    return new


def logging_out(issuer: str, api: str, tokens: dict[str, object]) -> None:
    access = tokens["access_token"]
    answer = httpx.post(f"{issuer}/auth/logout", headers=bearer(access))
    step("logging out answers 204", answer.status_code, 204)
    answer = httpx.post(f"{issuer}/auth/refresh", json={"refresh_token": tokens["refresh_token"]})
    refusal = (401, "Invalid refresh token")
    step("then refreshing is refused", (answer.status_code, answer.json()["detail"]), refusal)
    step("the access token is refused by Wardgate", status(f"{issuer}/auth/me", access), 401)
    step("and by the route that asks Wardgate", status(f"{api}/users/me/profile", access), 401)
    step("the route that asks nobody still accepts it", status(f"{api}/users/me", access), 200)


def foreign_token(binary: str, folder: str) -> str:
    """An access token for the same address, of a Wardgate that the application does not know."""
    with running(wardgate(binary, folder)) as other:
        register(other.url)
        return log_in(other.url)["access_token"]


def whole_life(binary: str) -> None:
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="wardgate-e2e-"))
        other = stack.enter_context(tempfile.TemporaryDirectory(prefix="wardgate-e2e-"))
        server = stack.enter_context(running(wardgate(binary, folder)))
        api = stack.enter_context(running(application(server.url))).url
        main = import_application(server.url)
        tokens = an_account(server.url)
        the_application(server.url, api, tokens["access_token"])
        refused_tokens(main, server.url, api, tokens, foreign_token(binary, other))
        wrong_audience_and_end(server.url, tokens["access_token"])
        rules_of_their_own(main, server.url)
        roles(binary, folder, server.url, api, tokens["access_token"])
        logging_out(server.url, api, refreshing(server.url, api, tokens))
        step("Wardgate stops when told", server.stop(), 0)


def binary_path() -> str:
    given = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("WARDGATE_BIN")
    if not given:
        raise SystemExit(__doc__)
    return str(Path(given).resolve())


if __name__ == "__main__":
    try:
        whole_life(binary_path())
    except Exception:
        # The steps behind it cannot be taken, so it counts as one that failed.
        failed += 1
        traceback.print_exc(file=sys.stdout)
    print(f"\n{passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)
