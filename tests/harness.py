"""What the tests in Python have in common: steps that are counted, and programs that are started and stopped."""

import base64
import os
import signal
import socket
import subprocess
import sys
import time

EMAIL, PASSWORD = "ada@example.com", "violet anchor canyon drum"
WITHIN = 60  # seconds; only a server that hangs uses them up

passed, failed = 0, 0


def step(text, got, expected):
    """Prints whether a step went as expected."""
    global passed, failed
    if got == expected:
        passed += 1
        print(f"ok    {text}", flush=True)
    else:
        failed += 1
        print(f"FAIL  {text}\n      expected {expected!r}\n      got      {got!r}", flush=True)


def end():
    """Closes with the line that `.ci/run` reads."""
    print(f"{passed} passed, {failed} failed", flush=True)
    sys.exit(1 if failed or not passed else 0)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def until_it_listens(name, port, process, log):
    end = time.monotonic() + WITHIN
    while time.monotonic() < end and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise SystemExit(f"{name} does not listen:\n{log.read_text(errors='replace')}")


def stop(process):
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def without_settings():
    """The environment less the settings of a developer's shell, which are no part of what is tested."""
    return {key: text for key, text in os.environ.items() if not key.startswith("WARDGATE_")}


def start(stack, folder, name, command, **more):
    log = folder / f"{name}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=folder, env=without_settings() | more, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
    stack.callback(stop, process)
    return process, log


def production(issuer):
    """The settings without which no server starts, with a master key of their own."""
    return {
        "WARDGATE_SERVER__ISSUER": issuer,
        "WARDGATE_SERVER__MASTER_KEY": base64.b64encode(os.urandom(32)).decode(),
        "WARDGATE_SERVER__TRUSTED_PROXIES": "127.0.0.1",
    }


def serve(stack, folder, name, binary, settings, *arguments):
    """Starts a server, and waits until it listens; its port, process and log."""
    port = free_port()
    command = [binary, "serve", "--listen", f"127.0.0.1:{port}", *arguments]
    process, log = start(stack, folder, name, command, **settings)
    until_it_listens(name, port, process, log)
    return port, process, log


def tool(binary, settings, *arguments, given=""):
    """What a command of Wardgate's prints, which has to succeed."""
    command = [binary, *arguments]
    ran = subprocess.run(command, input=given, env=without_settings() | settings, capture_output=True, text=True)
    if ran.returncode != 0:
        raise SystemExit(f"{command} ended with {ran.returncode}:\n{ran.stdout}{ran.stderr}")
    return ran.stdout
