"""`strongroom simulator kms` over real sockets: TLS that a client can verify, and a prompt end."""

import json
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPSConnection
from pathlib import Path
from typing import Any

import pytest

from tests.simulator.kms.conftest import REGION, Served


@contextmanager
def running(state_dir: Path, *arguments: str) -> Iterator[dict[str, Any]]:
    command = [sys.executable, "-m", "strongroom", "simulator", "kms", f"--state={state_dir}", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[3]) as process:
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())
        finally:
            process.terminate()
            process.wait(timeout=10)


def status_of(connection: HTTPConnection) -> int:
    connection.request("POST", "/", body=b"{}")
    answer = connection.getresponse()
    answer.read()
    return answer.status


def connect(served: Served, context: ssl.SSLContext, host: str = "127.0.0.1") -> int:
    port = int(served.url.rpartition(":")[2])
    connection = HTTPSConnection(host, port, context=context, timeout=5)
    try:
        return status_of(connection)
    finally:
        connection.close()


def test_an_unknown_ca_is_refused_by_clients(served: Served) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        connect(served, ssl.create_default_context())


def test_the_certificate_is_strict_and_names_kms(served: Served) -> None:
    context = ssl.create_default_context(cafile=served.ca)
    context.verify_flags |= ssl.VERIFY_X509_STRICT  # what Python 3.13 demands by default
    assert connect(served, context) == 400
    assert connect(served, context, "localhost") == 400


@pytest.mark.parametrize(
    ("name", "matches"), [(f"kms.{REGION}.amazonaws.com", True), ("kms.eu-west-1.amazonaws.com", False)]
)
def test_the_certificate_holds_for_its_region_only(served: Served, name: str, matches: bool) -> None:
    context = ssl.create_default_context(cafile=served.ca)
    with socket.create_connection(("127.0.0.1", int(served.url.rpartition(":")[2])), timeout=5) as raw:
        if matches:
            context.wrap_socket(raw, server_hostname=name).close()
        else:
            with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
                context.wrap_socket(raw, server_hostname=name)


def test_private_files_are_private(served: Served) -> None:
    for name in ("ca-with-key.pem", f"server-{REGION}.pem"):
        assert (served.ca.parent / name).stat().st_mode & 0o077 == 0


def test_a_process_serves_tls_and_ends_when_told(tmp_path: Path) -> None:
    with running(tmp_path, "--port=0", "--tls") as announced:
        assert announced["event"] == "listening"
        assert announced["url"] == f"https://127.0.0.1:{announced['port']}"
        context = ssl.create_default_context(cafile=announced["ca"])
        connection = HTTPSConnection("127.0.0.1", announced["port"], context=context, timeout=5)
        assert status_of(connection) == 400
    connection.close()  # left open until here: a client that does not say goodbye must not hold the server
    assert (tmp_path / "pki" / "root.pem").exists()


def test_a_process_serves_in_the_clear(tmp_path: Path) -> None:
    with running(tmp_path) as announced:
        assert announced["ca"] is None
        connection = HTTPConnection("127.0.0.1", announced["port"], timeout=5)
        assert status_of(connection) == 400
        connection.close()
