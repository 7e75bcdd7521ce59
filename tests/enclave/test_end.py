"""After a refusal nothing goes on: no step, no answer, no thread that the host can hold (R4)."""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from attestation.measurements import CONFIGURATION_PCR, ZERO
from enclave.addresses import Addresses
from enclave.boot.arrivals import Arrival
from enclave.engine.generation.graph import DecoderGraph
from enclave.errors import BootRefused, KMSUnreachable
from enclave.nsm.interface import NSMUnavailable
from enclave.server import Enclave
from enclave.serving.api import APIApp
from strongroom.models.package import load_package
from strongroom.protocol.constants import PATH_ATTESTATION, PATH_EVIDENCE, PATH_SEALED, BootState
from strongroom.protocol.messages import SealedWeightsHead
from strongroom.protocol.payloads import ChatTask
from strongroom.protocol.payloads import Message as Turn
from strongroom.protocol.problems import Problem
from strongroom.protocol.weights import WeightsCipher, seal_weights
from strongroom.transport.addresses import UnixAddress
from tests.enclave.caller import Caller
from tests.enclave.calling import call, control_of
from tests.enclave.deployment import ARN, Booting, new_nsm
from tests.enclave.test_boot import CREDENTIALS


@pytest.fixture
def enclave(tensor_dir: Path) -> Booting:
    return Booting([tensor_dir])


@pytest.mark.parametrize("data", [b"version = " + b"9" * 5000, b"version = 1" + b"\n[a]" * 2])
async def test_no_configuration_leaves_the_enclave_half_way(enclave: Booting, data: bytes) -> None:
    control, codes = control_of(enclave)
    assert await call(control, "PUT", "/boot/configuration", data) == []
    assert codes == ["malformed-input"]


async def test_an_error_that_nobody_foresaw_ends_the_enclave(enclave: Booting, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("CANARY")

    monkeypatch.setattr("enclave.boot.sequence.measure_once", fail)
    control, codes = control_of(enclave)
    assert await call(control, "PUT", "/boot/configuration", enclave.configuration_bytes) == []
    assert codes == ["internal"]


@pytest.mark.parametrize("expires_ms", [0, 1_000])
async def test_expired_credentials_are_asked_for_again(enclave: Booting, expires_ms: int) -> None:
    await enclave.to_catalogued()
    enclave.boot.push_credentials(json.dumps(json.loads(CREDENTIALS) | {"expires_ms": expires_ms}).encode())
    with pytest.raises(KMSUnreachable, match="expired"):
        await enclave.boot.check_keys()


async def test_the_last_push_signs_the_next_request(enclave: Booting) -> None:
    await enclave.to_catalogued()
    provider = enclave.boot._credentials
    held = provider.load()
    for key_id in ("AKIAFIRST", "AKIASECOND"):
        enclave.boot.push_credentials(
            json.dumps(json.loads(CREDENTIALS) | {"access_key_id": key_id, "expires_ms": 1 << 53}).encode()
        )
        assert held.get_frozen_credentials().access_key == key_id


async def test_after_the_end_no_step_and_no_state(enclave: Booting) -> None:
    control, codes = control_of(enclave)
    await call(control, "PUT", "/boot/other")
    assert codes == ["out-of-order"]
    assert await call(control, "PUT", "/boot/configuration", enclave.configuration_bytes) == []
    assert await call(control, "GET", "/boot") == []
    with pytest.raises(BootRefused):
        await enclave.boot.configure(enclave.configuration_bytes)
    assert enclave.nsm.describe_pcr(CONFIGURATION_PCR).value == ZERO
    with pytest.raises(BootRefused):
        enclave.boot.push_credentials(CREDENTIALS)


async def test_a_step_under_way_at_the_end_reaches_nothing(enclave: Booting, tensor_dir: Path) -> None:
    """The load whose last byte comes after the refusal must not open the API."""
    await enclave.to_catalogued()
    manifest, parsed, paths = load_package(tensor_dir)
    files = [paths[file.name].read_bytes() for file in parsed.files]
    plaintext = b"".join([len(manifest).to_bytes(4, "big"), manifest, *files])
    head = SealedWeightsHead(parsed.id, parsed.version, b"s" * 32, len(plaintext), b"wrapped")
    cipher = WeightsCipher(head, b"k" * 32, ARN, {})
    _, *chunks = seal_weights(cipher, [plaintext])
    enclave.boot.state = BootState.RELEASED
    entry = enclave.boot.catalogue.model[0]
    enclave.boot._arrivals._arrivals[parsed.id] = Arrival(entry, cipher, enclave.engine, asyncio.Lock())

    async def body() -> AsyncIterator[bytes]:
        for chunk in chunks:
            yield chunk
        enclave.boot.end()

    with pytest.raises(BootRefused, match="after the end"):
        await enclave.boot.load(parsed.id, 0, 1, body())
    assert not enclave.boot.ready.is_set()
    assert enclave.boot.state is BootState.RELEASED


async def api_of(enclave: Booting) -> APIApp:
    return APIApp(enclave.boot, await enclave.to_service(), enclave.log)


async def test_after_the_end_no_answer(enclave: Booting) -> None:
    api = await api_of(enclave)
    assert (await call(api, "GET", PATH_EVIDENCE))[0]["status"] == 200
    enclave.boot.end()
    assert await call(api, "GET", PATH_EVIDENCE) == []


async def test_an_nsm_that_fails_is_one_of_the_fixed_problems(
    enclave: Booting, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(**_: object) -> bytes:
        raise NSMUnavailable("CANARY")

    api = await api_of(enclave)
    monkeypatch.setattr(enclave.nsm, "attest", fail)
    head, body = await call(api, "GET", PATH_ATTESTATION)
    assert (head["status"], body["body"]) == (503, Problem.BUSY.to_bytes())


@pytest.mark.parametrize("stream", [False, True])
async def test_work_for_a_peer_that_left_stops(
    decoder_dir: Path, stream: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also of a whole answer, which sends nothing until its last token."""
    enclave = Booting([decoder_dir])
    api = await api_of(enclave)
    _, manifest, paths = load_package(decoder_dir)
    enclave.engine.load(manifest, {name: path.read_bytes() for name, path in paths.items()})
    steps = []
    step = DecoderGraph.step

    def slow(*arguments: Any) -> Any:
        steps.append(arguments)
        time.sleep(0.05)  # in the model's thread: the time that a larger model takes for a token
        return step(*arguments)

    monkeypatch.setattr(DecoderGraph, "step", slow)
    caller = Caller(enclave, api._service)
    sealed = caller.seal(ChatTask([Turn("user", "hello")], max_tokens=200), stream=stream)
    await call(api, "POST", PATH_SEALED, sealed, then_gone=True)
    enclave.engine.close()
    assert len(steps) < 200
    assert api._free == enclave.configuration.limits.max_in_flight


def addresses(folder: Path) -> Addresses:
    return Addresses(*(UnixAddress(folder / name) for name in ("api", "control", "log", "proxy")))


async def test_a_listener_that_stops_without_an_error_ends_the_enclave(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def stop(*_: object, **__: object) -> None:
        return

    monkeypatch.setattr("enclave.server._Server.serve", stop)
    monkeypatch.setattr("enclave.server._exit_within", stop_nothing)
    assert await asyncio.wait_for(Enclave(new_nsm(), addresses(tmp_path)).run(), 5) == 70


def stop_nothing(*_: object) -> None:
    """The process of the tests goes on."""


async def test_what_a_reader_of_the_log_sends_is_not_kept(enclave: Booting, tmp_path: Path) -> None:
    server = await asyncio.start_unix_server(enclave.log.stream, tmp_path / "log")
    reader, writer = await asyncio.open_unix_connection(tmp_path / "log")
    writer.write(b"x")
    assert await asyncio.wait_for(reader.read(), 5) == b""
    writer.close()
    server.close()


_STUCK = """
import asyncio, time, sys
from enclave.server import _exit_within
async def main():
    _exit_within(0.2, 70)
    await asyncio.gather(asyncio.to_thread(time.sleep, 60))
asyncio.run(main())
"""


def test_a_thread_that_hangs_does_not_keep_the_process() -> None:
    assert subprocess.run([sys.executable, "-c", _STUCK], timeout=20).returncode == 70


_THROWN = """
import threading
from enclave.hardening import silence
silence()
def fail(): raise ValueError("CANARY")
class Dropped:
    def __del__(self): fail()
thread = threading.Thread(target=fail); thread.start(); thread.join()
dropped = Dropped(); del dropped
"""


def test_no_thread_and_no_finalizer_prints_an_exceptions_text() -> None:
    printed = subprocess.run([sys.executable, "-c", _THROWN], timeout=20, capture_output=True).stderr
    assert printed == b"error: ValueError\n" * 2
