"""`strongroom serve-local`: ready or refused, how it ends, what it keeps."""

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx2
import openai
import pytest

from attestation.policy_file import dump_measurements
from strongroom.protocol.constants import PATH_EVIDENCE, PATH_SEALED
from tests.cli.running import exported, failed, strongroom
from tests.cli.served import Served
from tests.client.endpoint.proxying import proxied
from tests.client.fake_enclave import PIECES
from tests.client.fake_gateway import respond

LIVE = b"GET /v2/health/live HTTP/1.1\r\nHost: x\r\n\r\n"
HALF = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n"
"""Keeps a server busy for its grace."""
ASKED: Any = {"model": "tiny-chat", "messages": [{"role": "user", "content": "canary"}]}


@contextmanager
def starting(served: Served, *options: str) -> Iterator[subprocess.Popen[str]]:
    """It, interrupted at the end, unless it has ended."""
    (served.folder / "policy.toml").write_text(dump_measurements([served.gateway.enclave.policy()]))
    (served.folder / "root.pem").write_bytes(served.pki.root_pem())
    trusted = [f"--url={served.gateway.url}", "--policy=policy.toml", "--trust-anchor=root.pem", "--allow-simulated"]
    command = [sys.executable, "-m", "strongroom", "serve-local", *trusted, *options]
    with subprocess.Popen(
        command, cwd=served.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        try:
            yield running
        finally:
            if running.poll() is None:
                running.send_signal(signal.SIGINT)
            running.communicate(timeout=10)


@contextmanager
def started(served: Served, *options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The same, and the first line that it printed."""
    with starting(served, *options) as running:
        assert running.stdout is not None
        yield running, running.stdout.readline()


def ready(line: str) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(line)
    assert (told["event"], told["simulated"]) == ("ready", True)
    return told


def test_the_printed_line_configures_the_stock_client(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    with started(served) as (running, line):
        _set_all(monkeypatch, exported(line))
        with openai.OpenAI() as client:
            assert client.chat.completions.create(**ASKED).choices[0].message.content == "".join(PIECES)
        with openai.OpenAI(api_key="another") as stranger, pytest.raises(openai.AuthenticationError):
            stranger.chat.completions.create(**ASKED)
    assert running.returncode == 0


@pytest.mark.parametrize("name", ["NO_PROXY", "no_proxy"])
def test_the_printed_line_keeps_what_is_asked_from_proxies(
    served: Served, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    with proxied(monkeypatch) as proxy, started(served) as (_, line):
        with openai.OpenAI(**_told(exported(line)), max_retries=0) as control, pytest.raises(openai.APIError):
            control.chat.completions.create(**ASKED)
        assert b"canary" in proxy.received
        proxy.received = b""
        monkeypatch.setenv(name, "example.org")
        _set_all(monkeypatch, exported(line))
        assert os.environ["NO_PROXY"] == os.environ["no_proxy"] == "127.0.0.1,example.org"
        with openai.OpenAI() as client:
            assert client.chat.completions.create(**ASKED).choices[0].message.content == "".join(PIECES)
        assert proxy.received == b""


def test_no_address_is_printed_for_a_socket_that_programs_would_find_somebody_else_at(served: Served) -> None:
    (served.folder / "key").write_text("sixteen-letters-or-more\n")
    with started(served, "--listen=unix:socket", "--api-key-file=key") as (_, line):
        assert "OPENAI" not in line
    with started(served, "--listen=unix:socket", "--json") as (_, line):
        told = ready(line)
        transport = httpx2.HTTPTransport(uds=str(served.folder / "socket"))
        http_client = httpx2.Client(transport=transport)
        with openai.OpenAI(base_url=told["openai_base_url"], api_key="none", http_client=http_client) as client:
            assert client.chat.completions.create(**ASKED).choices[0].message.content == "".join(PIECES)
        astray = openai.OpenAI(base_url=told["openai_base_url"], api_key="none", max_retries=0)
        with astray, pytest.raises(openai.APIConnectionError):
            astray.chat.completions.create(**ASKED)
        assert told["openai_base_url"] == "http://strongroom.invalid/v1"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
def test_no_socket_is_left_by_one_that_is_ended_before_it_serves(served: Served, number: signal.Signals) -> None:
    served.gateway.faults[PATH_EVIDENCE] = served.gateway.stall
    with starting(served, "--listen=unix:socket") as running:
        while not served.gateway.stalled.is_set():
            assert running.poll() is None
            time.sleep(0.01)
        assert (served.folder / "socket").exists()
        running.send_signal(number)
        assert running.wait(10) == 128 + number
        assert running.stderr is not None
        assert "Traceback" not in running.stderr.read()
    assert not (served.folder / "socket").exists()


def test_a_terminal_that_is_closed_leaves_no_socket(served: Served) -> None:
    with started(served, "--json", "--listen=unix:socket") as (running, line):
        assert ready(line)
        running.send_signal(signal.SIGHUP)
        assert running.wait(10) == 128 + signal.SIGHUP
    assert not (served.folder / "socket").exists()


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
    with started(served, "--no-api-key") as (_, line):
        assert exported(line)["OPENAI_API_KEY"] == "none"  # the stock client demands one
    (served.folder / "key").write_text("$letters-or-'more'")
    with started(served, "--api-key-file=key") as (_, line):
        assert exported(line)["OPENAI_API_KEY"] == "$letters-or-'more'"
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
    with started(served, "--json", "--listen=unix:socket") as (first, _), socket.socket(socket.AF_UNIX) as caller:
        caller.connect(str(served.folder / "socket"))
        caller.sendall(LIVE + HALF)
        assert b" 200 " in caller.recv(1 << 10)
        first.send_signal(signal.SIGINT)
        assert first.stderr is not None
        assert first.stderr.readline().startswith("interrupted")
        assert "in use" in failed(served.run("serve-local", "--listen=unix:socket"))
    with started(served, "--json", "--listen=unix:socket") as (_, line):
        assert ready(line)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_told_twice_it_gives_up_what_is_under_way_and_leaves_no_socket(served: Served, number: signal.Signals) -> None:
    with started(served, "--json", "--listen=unix:socket") as (running, _), socket.socket(socket.AF_UNIX) as caller:
        caller.connect(str(served.folder / "socket"))
        caller.sendall(LIVE + HALF)
        assert b" 200 " in caller.recv(1 << 10)
        running.send_signal(number)
        assert running.stderr is not None
        assert running.stderr.readline().startswith("interrupted")
        running.send_signal(number)
        assert running.wait(10) == 128 + number
    assert not (served.folder / "socket").exists()


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


def test_distrust_is_told_as_such_where_nobody_reads_what_is_said_aloud(served: Served) -> None:
    with started(served, "--json") as (running, line):
        told = ready(line)
        assert running.stderr is not None
        running.stderr.close()
        running.stderr = None
        served.gateway.faults[PATH_SEALED] = respond(200, b"plain", "text/plain")
        with openai.OpenAI(base_url=told["openai_base_url"], api_key=told["api_key"], max_retries=0) as client:
            for stream in (False, True):
                with pytest.raises(openai.PermissionDeniedError):
                    client.chat.completions.create(**ASKED, stream=stream)
    assert running.returncode == 0


def _set_all(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)


def _told(environment: dict[str, str]) -> Any:
    return {"base_url": environment["OPENAI_BASE_URL"], "api_key": environment["OPENAI_API_KEY"]}


def _send_malformed(url: str, key: str) -> None:
    """Chunks that are none, of which the HTTP library would log the bytes; and a header."""
    host, port = url.removeprefix("http://").split(":")
    head = f"POST /v1/completions HTTP/1.1\r\nHost: {host}:{port}\r\nAuthorization: Bearer {key}"
    for rest in ("\r\nTransfer-Encoding: chunked\r\n\r\ncanary\r\n", "\0\r\n\r\n"):
        with socket.create_connection((host, int(port)), timeout=10) as connection:
            connection.sendall(f"{head}{rest}".encode())
            assert b" 400 " in connection.recv(1 << 10)
