"""Watches Wardgate with Prometheus, as docs/how-to/observe.md has it.

    python e2e.py PATH_OF_THE_WARDGATE_BINARY

Prometheus' configuration and the questions put to it are the page's; only addresses and the pause between scrapes are the
test's. Prints a line a step and closes with `N passed, N failed`; exits 1 if one failed. Needs prometheus.
"""

import json
import re
import shutil
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from contextlib import ExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from harness import EMAIL, PASSWORD, WITHIN, end, free_port, production, serve, start, step, tool, until_it_listens

PAGE = Path(__file__).resolve().parents[2] / "docs/how-to/observe.md"


def block(begins):
    """The block of the page that begins with these words."""
    found = re.search(rf"^```\w+\n({re.escape(begins)}.*?)^```", PAGE.read_text(), re.S | re.M)
    return found.group(1)


def questions():
    """Each question of the page, without what it says about it."""
    for part in block("# Requests that failed").split("\n\n"):
        yield "\n".join(line for line in part.splitlines() if line and not line.startswith("#"))


def sign_in(port, password):
    form = urllib.parse.urlencode({"username": EMAIL, "password": password}).encode()
    try:
        return urllib.request.urlopen(f"http://127.0.0.1:{port}/auth/login", form).status
    except urllib.error.HTTPError as refusal:
        return refusal.code


class Prometheus:
    def __init__(self, stack, folder, metrics):
        given = block("scrape_configs:")
        address = "127.0.0.1:9464"
        if address not in given:
            raise SystemExit(f"{address} is not in {PAGE}")
        text = "global:\n  scrape_interval: 1s\n" + given.replace(address, f"127.0.0.1:{metrics}")
        (folder / "prometheus.yml").write_text(text)
        self.port = free_port()
        command = [shutil.which("prometheus"), f"--config.file={folder}/prometheus.yml"]
        command += [f"--storage.tsdb.path={folder}/tsdb", f"--web.listen-address=127.0.0.1:{self.port}"]
        process, log = start(stack, folder, "prometheus", command)
        until_it_listens("prometheus", self.port, process, log)
        # It listens before it reads what it has: until then every answer is a 503 of plain words.
        deadline = time.monotonic() + WITHIN
        while not self.is_ready():
            if time.monotonic() > deadline:
                raise SystemExit(f"prometheus is not ready within {WITHIN} s: see {log}")
            time.sleep(0.1)

    def is_ready(self):
        try:
            return urllib.request.urlopen(f"http://127.0.0.1:{self.port}/-/ready").status == 200
        except urllib.error.HTTPError:
            return False

    def get(self, path, **query):
        address = f"http://127.0.0.1:{self.port}/api/v1/{path}?{urllib.parse.urlencode(query)}"
        try:
            return json.load(urllib.request.urlopen(address))
        except urllib.error.HTTPError as refusal:
            return json.load(refusal)

    def values(self, question):
        """What it answers, by labels."""
        result = self.get("query", query=question)["data"]["result"]
        return {tuple(sorted(row["metric"].items())): float(row["value"][1]) for row in result}

    def wait_for(self, question, value):
        """Waits until its one answer is this; the last one if that does not come."""
        deadline = time.monotonic() + WITHIN
        while (found := list(self.values(question).values())) != [value] and time.monotonic() < deadline:
            time.sleep(0.1)
        return found


def main():
    binary = str(Path(sys.argv[1]).resolve())
    with tempfile.TemporaryDirectory(prefix="wardgate-observe-") as name, ExitStack() as stack:
        folder, metrics = Path(name), free_port()
        settings = production("https://auth.example.com") | {"WARDGATE_METRICS__LISTEN": f"127.0.0.1:{metrics}"}
        data = ["--data-dir", folder / "data"]
        port, _, _ = serve(stack, folder, "wardgate", binary, settings, *data)
        tool(binary, settings, "user", "create", "--email", EMAIL, "--password-stdin", *data, given=PASSWORD)
        prometheus = Prometheus(stack, folder, metrics)
        step("Prometheus reads what is there", prometheus.wait_for('up{job="wardgate"}', 1), [1])
        step("somebody signs in, and somebody else does not", [sign_in(port, PASSWORD), sign_in(port, "wrong")], [200, 401])
        for outcome in ["success", "refused"]:
            question = f'wardgate_sign_ins_total{{by="password",outcome="{outcome}"}}'
            step(f"it is told: {outcome}", prometheus.wait_for(question, 1), [1])
        for question in questions():
            answer = prometheus.get("query", query=question)
            step(f"it can be asked: {question}", (answer["status"], answer.get("error")), ("success", None))
        requests = 'sum(wardgate_http_requests_total{route="/auth/login",status=~"2xx|4xx"})'
        step("both are requests of one route", prometheus.wait_for(requests, 2), [2])
        known = prometheus.get("label/__name__/values")["data"]
        families = {re.sub("_(bucket|count|sum)$", "", each) for each in known if each.startswith("wardgate_")}
        page = PAGE.read_text()
        short = {f"wardgate_connections{each}" for each in re.findall(r"`(_[a-z_]+_total)`", page)}
        told = set(re.findall(r"wardgate_[a-z_]+", page)) | short
        step("nothing is there that the page does not tell", sorted(families - told), [])
        step("and not little", len(families) > 10, True)
    end()


if __name__ == "__main__":
    main()
