"""`strongroom serve-local`: ready or refused, how it ends, what it keeps."""

import json
import os
import shlex
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import openai
import pytest

from attestation.policy_file import dump_measurements
from strongroom.protocol.constants import PATH_EVIDENCE, PATH_SEALED
from tests.cli.running import failed, strongroom
from tests.cli.served import Served
from tests.client.fake_enclave import PIECES
from tests.client.fake_gateway import respond

ASKED: Any = {"model": "tiny-chat", "messages": [{"role": "user", "content": "canary"}]}


@contextmanager
def started(served: Served, *options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """It, and the first line that it printed; interrupted at the end, unless it has ended."""
    (served.folder / "policy.toml").write_text(dump_measurements([served.gateway.enclave.policy()]))
    (served.folder / "root.pem").write_bytes(served.pki.root_pem())
    trusted = [f"--url={served.gateway.url}", "--policy=policy.toml", "--trust-anchor=root.pem", "--allow-simulated"]
    command = [sys.executable, "-m", "strongroom", "serve-local", *trusted, *options]
    with subprocess.Popen(
        command, cwd=served.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        assert running.stdout is not None
        try:
            yield running, running.stdout.readline()
        finally:
            if running.poll() is None:
                running.send_signal(signal.SIGINT)
            running.communicate(timeout=10)


def ready(line: str) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(line)
    assert (told["event"], told["simulated"]) == ("ready", True)
    return told


def test_the_printed_line_configures_the_stock_client(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    with started(served) as (running, line):
        command, *variables = line.split()
        assert command == "export"
        for variable in variables:
            monkeypatch.setenv(*variable.split("=", 1))
        with openai.OpenAI() as client:
            assert client.chat.completions.create(**ASKED).choices[0].message.content == "".join(PIECES)
        with openai.OpenAI(api_key="another") as stranger, pytest.raises(openai.AuthenticationError):
            stranger.chat.completions.create(**ASKED)
    assert running.returncode == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_it_ends_when_told_to(served: Served, number: signal.Signals) -> None:
    with started(served, "--json", "--listen=unix:socket") as (running, line):
        assert ready(line)["api_key"] is None
        assert stat.S_ISSOCK((served.folder / "socket").stat().st_mode)
        running.send_signal(number)
        assert running.wait(10) == 0
    assert not (served.folder / "socket").exists()


def test_a_key_of_a_file_is_not_said_to_be_another(served: Served) -> None:
    (served.folder / "key").write_text("sixteen-letters-or-more\n")
    with started(served, "--json", "--api-key-file=key") as (_, line):
        assert ready(line)["api_key"] == "sixteen-letters-or-more"
    with started(served, "--json", "--no-api-key") as (_, line):
        assert ready(line)["api_key"] is None
    (served.folder / "key").write_text("$letters-or-'more'")
    with started(served, "--api-key-file=key") as (_, line):
        assert dict(each.split("=", 1) for each in shlex.split(line)[1:])["OPENAI_API_KEY"] == "$letters-or-'more'"
    (served.folder / "key").write_text("short")
    assert "at least 16 characters" in failed(served.run("serve-local", "--api-key-file=key"))


def test_the_proofs_verify_offline(served: Served) -> None:
    with started(served, "--json", "--proofs=proofs") as (_, line):
        told = ready(line)
        with openai.OpenAI(base_url=told["openai_base_url"], api_key=told["api_key"]) as client:
            answer = client.chat.completions.create(**ASKED)
    proof = served.folder / "proofs" / f"{answer.id}.proof"
    assert [stat.S_IMODE(each.stat().st_mode) for each in (proof, proof.parent)] == [0o600, 0o700]
    trusted = ("--trust-anchor=root.pem", "--allow-simulated", "--json")
    done = strongroom("receipt", "verify", proof, *trusted, cwd=served.folder)
    assert (done.returncode, json.loads(done.stdout)["verdict"]) == (0, "accepted")


def test_nothing_is_served_for_an_enclave_that_does_not_satisfy_the_policy(served: Served) -> None:
    listening = served.run("serve-local", "--key-policy=models=" + "00" * 48, "--listen=unix:socket")
    assert "nothing was sealed to it" in failed(listening, 3)
    assert not (served.folder / "socket").exists()
    served.gateway.faults[PATH_EVIDENCE] = respond(200, b"x", "text/plain")
    assert "gateway" in failed(served.run("serve-local"), 7)


def test_nobody_else_gets_the_socket_before_the_end(served: Served) -> None:
    live, half = (
        b"GET /v2/health/live HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n",
    )
    with started(served, "--json", "--listen=unix:socket") as (first, _), socket.socket(socket.AF_UNIX) as caller:
        caller.connect(str(served.folder / "socket"))
        caller.sendall(live + half)  # the second keeps it busy for its grace
        assert b" 200 " in caller.recv(1 << 10)
        first.send_signal(signal.SIGINT)
        assert first.stderr is not None
        assert first.stderr.readline().startswith("interrupted")
        assert "in use" in failed(served.run("serve-local", "--listen=unix:socket"))
    with started(served, "--json", "--listen=unix:socket") as (_, line):
        assert ready(line)


def test_a_start_that_fails_leaves_no_socket(served: Served) -> None:
    (served.folder / "taken").write_text("")
    (served.folder / "key").write_text("short")
    for option in ("--proofs=taken", "--api-key-file=key"):
        failed(served.run("serve-local", "--listen=unix:socket", option))
        assert not (served.folder / "socket").exists()


def test_a_key_that_was_given_is_asked_for_on_a_socket_as_well(served: Served) -> None:
    (served.folder / "key").write_text("sixteen-letters-or-more\n")
    with started(served, "--json", "--api-key-file=key", "--listen=unix:socket") as (_, line):
        assert ready(line)["api_key"] == "sixteen-letters-or-more"
    assert "either" in failed(served.run("serve-local", "--api-key-file=key", "--no-api-key"))


@pytest.mark.parametrize("address", ["0.0.0.0:1", "unix:no/such/folder/socket"])
def test_an_address_that_cannot_be_used_is_a_sentence(served: Served, address: str) -> None:
    failed(served.run("serve-local", f"--listen={address}"))
    assert served.gateway.seen == []


def test_what_may_not_be_trusted_is_told_aloud_and_without_content(served: Served) -> None:
    with started(served, "--json") as (running, line):
        told = ready(line)
        served.gateway.faults[PATH_SEALED] = respond(200, b"plain", "text/plain")
        client = openai.OpenAI(base_url=told["openai_base_url"], api_key=told["api_key"])
        with client, pytest.raises(openai.PermissionDeniedError) as caught:
            client.chat.completions.create(**ASKED)
        assert caught.value.code == "seal-broken"
        _send_malformed(told["url"], told["api_key"])
        os.kill(running.pid, signal.SIGINT)
        _, errors = running.communicate(timeout=10)
    distrust, interrupted = errors.splitlines()
    assert distrust.startswith("seal-broken: expected 200 with ")
    assert interrupted.startswith("interrupted: ")


def _send_malformed(url: str, key: str) -> None:
    """Chunks that are none, of which the HTTP library would log the bytes; and a header."""
    host, port = url.removeprefix("http://").split(":")
    head = f"POST /v1/completions HTTP/1.1\r\nHost: {host}:{port}\r\nAuthorization: Bearer {key}"
    for rest in ("\r\nTransfer-Encoding: chunked\r\n\r\ncanary\r\n", "\0\r\n\r\n"):
        with socket.create_connection((host, int(port)), timeout=10) as connection:
            connection.sendall(f"{head}{rest}".encode())
            assert b" 400 " in connection.recv(1 << 10)
