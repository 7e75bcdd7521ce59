"""Faults and hostile hosts: each ends in a typed error with its code, nothing hangs, nothing is served from a lie."""

import json
import os
import signal
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http import HTTPMethod
from pathlib import Path
from unittest.mock import Mock

import pytest

from strongroom.client import GatewayProblem, StrongroomError
from strongroom.protocol.problems import Problem
from strongroom.simulator.appliance import Appliance, Endpoint
from strongroom.simulator.operator import PARENT_ROLE
from strongroom.simulator.part import Part, PartFailed
from tests.appliance.conftest import client_of
from tests.appliance.control import step

REFUSED = 70


@pytest.fixture
def own(packages: list[Path], tmp_path: Path) -> Iterator[Appliance]:
    """An appliance that a test may break, with the fastest model only."""
    with Appliance(tmp_path, packages[2:]) as appliance:
        yield appliance


def test_after_a_crash_the_enclave_has_new_keys_and_the_client_attests_again(
    packages: list[Path], tmp_path: Path
) -> None:
    with Appliance(tmp_path, packages[:1]) as appliance, client_of(appliance) as client:
        client.chat("x", max_tokens=1)
        before = client.status().key_id
        kill_enclave(appliance)
        with pytest.raises(GatewayProblem) as caught:
            client.chat("x", model="tiny-decoder", max_tokens=1)
        assert caught.value.problem is Problem.ENCLAVE_UNREACHABLE
        appliance.start_enclave()
        appliance.wait_ready()
        # The client still holds the old key: it is told so, verifies the new document, seals anew, once.
        client.chat("x", model="tiny-decoder", max_tokens=1)
        assert client.status().key_id != before


def test_readiness_falls_when_the_enclave_dies(own: Appliance) -> None:
    assert readiness(own) == 200
    kill_enclave(own)
    assert readiness(own) == 503


def kill_enclave(appliance: Appliance) -> None:
    """As by SIGKILL, and wait until the gateway has seen it."""
    appliance.parts.pop("enclave").process.kill()
    deadline = time.monotonic() + 15
    while readiness(appliance) == 200 and time.monotonic() < deadline:
        time.sleep(0.1)


def readiness(appliance: Appliance) -> int:
    """The status of /readyz."""
    try:
        with urllib.request.urlopen(f"{appliance.endpoint.url}/readyz") as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def boot(folder: Path) -> Part:
    """An enclave alone, waiting for its configuration."""
    arguments = ["--state=.", "--sockets=.", f"--parent-role={PARENT_ROLE}"]
    enclave = Part("enclave", "strongroom.simulator.enclave", arguments, folder=folder)
    enclave.wait_socket(folder / "control.sock", 20)
    return enclave


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "/boot/configuration", b"not a configuration"),
        ("PUT", "/boot/configuration", b"\xff" * 100),
        ("PUT", "/boot/configuration", b"#" * (65 << 10)),
        ("PUT", "/boot/catalogue", b""),
        ("PUT", "/boot/credentials", b"{}"),
        ("PUT", "/boot/key-check", b""),
        ("PUT", "/boot/models/x/head", b""),
        ("PUT", "/boot/models/x/weights", b""),
        ("PUT", "/boot/models/x/weights/0/1", b""),
        ("PUT", "/boot/other", b""),
        ("DELETE", "/boot", b""),
        ("POST", "/boot/configuration", b""),
    ],
)
def test_anything_but_the_next_step_ends_the_enclave(
    tmp_path: Path, method: HTTPMethod, path: str, body: bytes
) -> None:
    enclave = boot(tmp_path)
    standing = b'{"state": "booted", "loaded": [], "wanted": []}'
    assert step(tmp_path / "control.sock", "GET", "/boot") == (200, standing)
    assert step(tmp_path / "control.sock", method, path, body) in (None, (500, b"Internal Server Error"))
    assert enclave.process.wait(10) == REFUSED
    enclave.stop()
    assert b"Traceback" not in enclave.log_path.read_bytes()


def test_a_parent_that_goes_away_in_the_middle_of_a_step_ends_the_enclave(tmp_path: Path) -> None:
    enclave = boot(tmp_path)
    step(tmp_path / "control.sock", "PUT", "/boot/configuration", b"half", announced_bytes=1000)
    assert enclave.process.wait(10) == REFUSED
    enclave.stop()


def test_sigterm_ends_the_enclave_with_0(tmp_path: Path) -> None:
    assert boot(tmp_path).stop() == 0


@pytest.mark.parametrize("index", [16, 17])
def test_a_configuration_that_differs_in_one_byte_gets_no_key(packages: list[Path], tmp_path: Path, index: int) -> None:
    class Altered(Appliance):
        def start_gateway(self) -> str:
            file = self.deployment.configuration if index == 17 else self.deployment.catalogue
            file.write_bytes(file.read_bytes() + b"\n")
            return super().start_gateway()

    with pytest.raises(PartFailed, match="enclave ended"):
        Altered(tmp_path, packages[2:]).__enter__()
    ended = (tmp_path / "enclave.log").read_text()
    assert "Traceback" not in ended


def test_sealed_weights_altered_by_one_bit_end_the_enclave(packages: list[Path], tmp_path: Path) -> None:
    class Altered(Appliance):
        def start_gateway(self) -> str:
            path = self.deployment.sealed / "tiny-tensor.sealed"
            data = bytearray(path.read_bytes())
            data[-40] ^= 1
            path.write_bytes(data)
            return super().start_gateway()

    with pytest.raises(PartFailed, match="enclave ended"):
        Altered(tmp_path, packages[2:]).__enter__()


def test_a_stopped_enclave_is_a_time_out_and_not_a_hang(own: Appliance) -> None:
    process = own.parts["enclave"].process
    with client_of(own, timeout_s=3) as client:
        client.status()
        os.kill(process.pid, signal.SIGSTOP)
        try:
            started = time.monotonic()
            with pytest.raises(StrongroomError) as caught:
                client.chat("x", model="tiny-tensor")
            assert caught.value.code in ("timed-out", "gateway-problem")
            assert time.monotonic() - started < 6
        finally:
            os.kill(process.pid, signal.SIGCONT)


def test_without_kms_the_enclave_waits_and_does_not_spin(packages: list[Path], tmp_path: Path) -> None:
    class WithoutKMS(Appliance):
        def start_enclave(self, number: int = 1) -> Part:
            self.parts.pop("kms").stop()
            return super().start_enclave(number)

        def wait_ready(self, timeout_s: float = 6.0) -> None:
            super().wait_ready(timeout_s)

    with pytest.raises(PartFailed, match="not ready in time"):
        WithoutKMS(tmp_path, packages[2:]).__enter__()


def test_a_kms_that_ends_before_anything_is_deployed_is_named(packages: list[Path], tmp_path: Path) -> None:
    def say(part: str, line: str) -> None:
        if part == "kms":
            appliance.parts["kms"].process.kill()

    appliance = Appliance(tmp_path, packages[2:], say)
    with pytest.raises(PartFailed, match=r"kms did not do what the operator asked: EndpointConnectionError \(exit"):
        appliance.__enter__()
    assert appliance.parts == {}


def test_a_gateway_that_ends_in_the_middle_of_its_answer_is_not_ready(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor() as pool:
        appliance = Appliance(tmp_path, [])
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        appliance.endpoint = Endpoint(url, tmp_path, tmp_path, Mock())
        asked = pool.submit(appliance.is_ready)
        connection, _ = server.accept()
        with connection:
            connection.recv(1024)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
        assert not asked.result(timeout=10)


def test_many_callers_after_a_restart_are_all_answered(packages: list[Path], tmp_path: Path) -> None:
    with Appliance(tmp_path, packages[:1]) as appliance, client_of(appliance) as client:
        client.chat("x", max_tokens=1)
        kill_enclave(appliance)
        appliance.start_enclave()
        appliance.wait_ready()
        with ThreadPoolExecutor(12) as callers:
            asked = [callers.submit(client.chat, "x", model="tiny-decoder", max_tokens=1) for _ in range(12)]
        assert [answer.result().completion_tokens for answer in asked] == [1] * 12


def test_metrics_and_probes_hold_numbers_and_no_names(own: Appliance) -> None:
    with client_of(own) as client:
        client.status()
    for path in ("/livez", "/readyz", "/metrics"):
        with urllib.request.urlopen(own.endpoint.url + path) as answer:
            body = answer.read()
        assert b"tiny-tensor" not in body
    with urllib.request.urlopen(own.endpoint.url + "/openapi.json") as answer:
        paths = json.load(answer)["paths"]
    assert {"/v1/attestation", "/v1/evidence", "/v1/models", "/v1/sealed"} <= set(paths)
