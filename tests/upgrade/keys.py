"""Changes the signing key and the master key of two nodes while clients work, and counts what fails (S-141, S-142).

    python keys.py PROGRAM

The nodes share a PostgreSQL database of their own (on the server in WARDGATE_TEST_POSTGRES, or on one that is started).
The clients are those of `rolling.py`, and one more that does as a resource server does: it keeps the published keys for a
while, and a token whose key is not among them is a failure. A new signing key is published an hour before it signs; here
that hour goes by as soon as the kept keys were fetched anew, by a change in the database.

Prints a line a step and closes with `N passed, N failed`; exits 1 if one failed.
"""

import base64
import json
import os
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from harness import PASSWORD, WITHIN, end, production, step, tool
from rolling import CLIENTS, ISSUER, LIMITS, PAUSE, Client, Load, ShowsToken, Site, bearer, database, query

KEPT = 1.0  # seconds that published keys are kept; no answer of ours says less than five minutes


class ChecksOffline(Client):
    """As a resource server that asks for the keys only when those that it has are too old."""

    def prepare(self):
        super().prepare()
        self.kids, self.fetched, self.signs = set(), 0, None

    def once(self):
        if time.monotonic() - self.fetched > KEPT and (answer := self.ask("jwks", "GET", "/.well-known/jwks.json")):
            self.kids, self.fetched = {key["kid"] for key in answer[0]["keys"]}, time.monotonic()
        content = {"refresh_token": self.tokens["refresh_token"]}
        answer = self.ask("refresh", "POST", "/auth/refresh", content=content)
        self.tokens = answer[0] if answer else self.sign_in()
        self.signs = kid_of(self.tokens)
        if self.signs not in self.kids:
            self.tally.fail("a token checked offline", None, f"{self.signs} is not among {self.kids}")


def kid_of(tokens):
    head = tokens["access_token"].split(".")[0]
    return json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))["kid"]


def until(text, holds):
    patience = time.monotonic() + WITHIN
    while not holds() and time.monotonic() < patience:
        time.sleep(PAUSE)
    step(text, bool(holds()), True)


def rotate_signing_key(site, offline, url):
    made = json.loads(site.run("new", "key", "rotate", "--json"))["kid"]
    until("everybody who keeps the published keys has the new one", lambda: all(made in each.kids for each in offline))
    step("and nothing is signed with it yet", made in {each.signs for each in offline}, False)
    query(url, f"UPDATE signing_keys SET activates_at = activates_at - 3600000 WHERE kid = '{made}'")
    until("its hour has come: it signs", lambda: all(each.signs == made for each in offline))
    return made


def change_master_key(site, phase):
    """As docs/how-to/master-key.md says it for several nodes."""
    before = site.settings["WARDGATE_SERVER__MASTER_KEY"]
    after = base64.b64encode(os.urandom(32)).decode()
    kept = site.folder / "before.key"
    kept.touch(mode=0o600)
    kept.write_text(before)
    both = {"WARDGATE_SERVER__MASTER_KEY": after, "WARDGATE_SERVER__PREVIOUS_MASTER_KEY_FILES": str(kept)}
    alone = {"WARDGATE_SERVER__MASTER_KEY": after, "WARDGATE_SERVER__PREVIOUS_MASTER_KEY_FILES": ""}

    def replace_each(settings):
        site.settings = site.settings | settings
        for node in list(site.fleet.nodes):
            site.add("new")
            site.stop(node)

    phase("each node gets the new master key beside the one before", lambda: replace_each(both))
    phase("everything is sealed anew", lambda: print(site.run("new", "key", "rotate-master").strip()))
    phase("each node lets go of the one before", lambda: replace_each(alone))
    # Opens what is sealed now, signs with it, and lets go of it at once.
    phase("a signing key is made under the new master key", lambda: site.run("new", "key", "rotate"))


def withdraw(site, client):
    """In an emergency a key's tokens end at once, at every node, and sign-ins go on (S-142)."""
    tokens = client.sign_in()
    kid = kid_of(tokens)
    site.run("new", "key", "retire", kid, "--now")
    for node in site.fleet.nodes:
        client.me("a token of a withdrawn key", *bearer(tokens), node=node, expected=401)
        again = client.sign_in()
        step("the next token has another key", kid_of(again) == kid, False)
        client.me("the next token", *bearer(again), node=node)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    program = Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory(prefix="wardgate-keys-") as name, ExitStack() as stack:
        folder = Path(name)
        url = database(stack, folder)
        own = {"WARDGATE_DATABASE__URL": url, "WARDGATE_DATABASE__POOL_SIZE": "6"}
        site = Site(stack, folder, program, program, production(ISSUER) | LIMITS | own)
        # Whoever comes second takes what there is.
        for _ in range(2):
            site.add("new")
        listed = json.loads(site.run("new", "key", "list", "--json"))
        step("there is one signing key", len(listed), 1)
        kinds = [*CLIENTS, ChecksOffline, ChecksOffline]
        emails = [f"user{number}@example.com" for number in range(len(kinds))]
        for email in emails:
            site.run("new", "user", "create", "--email", email, "--password-stdin", given=PASSWORD)
        with Load(site.fleet, emails, kinds) as tally:
            load = tally.clients
            offline = [client for client in load if isinstance(client, ChecksOffline)]

            def phase(name, *steps):
                tally.begin(name)
                for what in steps:
                    what()
                time.sleep(2)
                tally.judge()

            phase("two nodes")
            for turn in ["a signing key is rotated", "and another"]:
                phase(turn, lambda: rotate_signing_key(site, offline, url))
            change_master_key(site, phase)
        print()
        tally.table()
        tally.begin("a signing key is withdrawn")
        withdraw(site, ShowsToken(site.fleet, tally, emails[0]))
        tally.judge()
    end()


if __name__ == "__main__":
    main()
