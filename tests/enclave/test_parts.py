"""Small parts of the enclave: replay cache, clock, log, hardening, evidence."""

import asyncio
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from attestation import bindings
from attestation.documents import AttestationDocument
from attestation.errors import Rejected
from enclave.clock import Clock
from enclave.errors import BootRefused, ClockFault
from enclave.hardening import free_memory_bytes
from enclave.keys import BootKeys
from enclave.log import EnclaveLog, LogEvent
from enclave.serving.replay import ReplayCache, ReplayCacheFull, Replayed
from strongroom.simulator.nsm import SoftwareNSM
from tests.enclave.caller import DAY_MS
from tests.enclave.deployment import IMAGE, PKI, Booting


def test_an_id_leaves_only_when_its_own_time_is_over() -> None:
    cache = ReplayCache(capacity=2)
    cache.admit(b"a", until_ms=10_000, at_ms=0)
    cache.admit(b"b", until_ms=5_000, at_ms=0)
    with pytest.raises(ReplayCacheFull):
        cache.admit(b"c", until_ms=20_000, at_ms=5_000)
    cache.admit(b"c", until_ms=20_000, at_ms=5_001)
    with pytest.raises(Replayed):
        cache.admit(b"a", until_ms=30_000, at_ms=10_000)
    cache.admit(b"a", until_ms=30_000, at_ms=10_001)


@pytest.mark.parametrize(("span_ms", "longer_ms"), [(1, 1000), (300_000, 1000), (400 * DAY_MS, DAY_MS)])
def test_an_id_stays_at_least_for_its_time_and_hardly_longer(span_ms: int, longer_ms: int) -> None:
    for at_ms in (0, 1, 999, 1_700_000_000_123):
        cache, until_ms = ReplayCache(capacity=1), at_ms + span_ms
        cache.admit(b"a", until_ms=until_ms, at_ms=at_ms)
        with pytest.raises(Replayed):
            cache.admit(b"a", until_ms=until_ms, at_ms=until_ms)
        cache.admit(b"b", until_ms=until_ms + longer_ms, at_ms=until_ms + longer_ms)


def test_ids_whose_times_end_together_are_all_remembered() -> None:
    cache, ids = ReplayCache(capacity=100), [bytes([number]) for number in range(100)]
    for name in ids:
        cache.admit(name, until_ms=1000, at_ms=0)
    for name in ids:
        with pytest.raises(Replayed):
            cache.admit(name, until_ms=1000, at_ms=1000)
    for name in ids:
        cache.admit(name, until_ms=3000, at_ms=1001)


def nsm_at(clock: list[int]) -> SoftwareNSM:
    return SoftwareNSM(
        PKI, image_pcrs=IMAGE, parent_role_arn=None, parent_instance_id="i-0123456789abcdef0", clock=lambda: clock[0]
    )


def test_time_is_the_nsms_and_monotonic_between_and_never_goes_back() -> None:
    now, ticks = [1_790_000_000_000], [0]
    nsm = nsm_at(now)
    clock = Clock(nsm.attest(), monotonic_ns=lambda: ticks[0])
    ticks[0] += 1_500_000_000
    assert clock.now_ms() == now[0] + 1500
    now[0] += 60_000
    clock.refresh(nsm.attest())
    assert clock.now_ms() == now[0]
    now[0] -= 1
    with pytest.raises(ClockFault):
        clock.refresh(nsm.attest())


def test_a_refresh_that_finds_the_monotonic_clock_fast_does_not_turn_time_back() -> None:
    now, ticks = [1_790_000_000_000], [0]
    nsm = nsm_at(now)
    clock = Clock(nsm.attest(), monotonic_ns=lambda: ticks[0])
    ticks[0] += 50_000_000_000
    before = clock.now_ms()
    now[0] += 49_000
    clock.refresh(nsm.attest())
    assert clock.now_ms() == before
    ticks[0] += 3_000_000_000
    assert clock.now_ms() == now[0] + 3000


def test_the_log_takes_identifiers_and_integers_of_its_list_only() -> None:
    log = EnclaveLog()
    log.write(LogEvent.REQUEST, status=200, code="busy")
    for bad in ({"prompt": "x"}, {"code": "A prompt!"}, {"model": "tiny"}, {"code": "x" * 65}, {"code": "line\nbreak"}):
        with pytest.raises(ValueError, match="log field"):
            log.write(LogEvent.REQUEST, **bad)


async def test_a_reader_gets_the_kept_lines_and_the_new_ones(tmp_path: Path) -> None:
    log = EnclaveLog()
    log.write(LogEvent.STATE, state="booted")
    server = await asyncio.start_unix_server(log.stream, tmp_path / "log")
    reader, writer = await asyncio.open_unix_connection(tmp_path / "log")
    assert json.loads(await reader.readline()) == {"event": "state", "state": "booted"}
    log.write(LogEvent.REQUEST, status=200)
    assert json.loads(await reader.readline()) == {"event": "request", "status": 200}
    writer.close()
    await writer.wait_closed()
    server.close()


def test_what_a_request_cannot_have_is_its_own_error_and_nobody_elses() -> None:
    command = [sys.executable, "-m", "tests.enclave.memory_child", str(1 << 30)]
    printed = subprocess.run(command, capture_output=True, check=True, timeout=30).stdout
    assert json.loads(printed) == {"outcomes": ["InferenceFailed"] * 2, "failures": [], "then": [2, 3]}


def test_the_bound_is_what_the_machine_has_left() -> None:
    pages = os.sysconf("SC_PHYS_PAGES")
    assert 0 < free_memory_bytes() < pages * os.sysconf("SC_PAGE_SIZE") - (64 << 20)


def test_the_entry_point_of_the_image_refuses_this_machine_whatever_the_environment() -> None:
    hostile = {"STRONGROOM_SIMULATED": "1", "PYTHONPATH": "", "LD_PRELOAD": ""}
    result = subprocess.run(
        [sys.executable, "-m", "enclave", "--simulated"], env={**os.environ, **hostile}, capture_output=True, timeout=30
    )
    assert result.returncode != 0
    assert b"no-entropy" in result.stderr or b"hardware generator" in result.stderr
    assert b"Traceback" not in result.stderr


async def test_documents_for_clients_and_for_kms_cannot_be_confused(tensor_dir: Path) -> None:
    enclave = Booting([tensor_dir])
    await enclave.to_service()
    stated, identity = enclave.boot.client_evidence, enclave.boot.identity
    client = AttestationDocument.from_bytes(stated.document(b"n" * 32))
    kms = AttestationDocument.from_bytes(identity.evidence.for_kms())
    assert client.public_key is None
    assert client.nonce == b"n" * 32
    assert kms.public_key == identity.keys.recipient_spki()
    bindings.check_statement_binding(client, stated.keys_sha384, stated.receipt_key)
    with pytest.raises(Rejected):
        bindings.check_statement_binding(kms, stated.keys_sha384, stated.receipt_key)
    for other in ((bytes(48), stated.receipt_key), (stated.keys_sha384, bytes(65))):
        with pytest.raises(Rejected):
            bindings.check_statement_binding(client, *other)


def test_each_suite_has_a_key_of_its_own_at_each_boot() -> None:
    first, second = (BootKeys.generate().configurations for _ in range(2))
    assert {configuration.key_id for configuration in first}.isdisjoint(item.key_id for item in second)
    assert first[1].public_key not in first[0].public_key


def test_a_component_of_one_key_in_another_ends_the_boot(monkeypatch: pytest.MonkeyPatch) -> None:
    """X-Wing's X25519 key comes from the last third of what its seed expands to (R18)."""
    seed = bytes(range(32))
    seeds = iter([seed, hashlib.shake_256(seed).digest(96)[64:]])
    monkeypatch.setattr("enclave.keys.secrets.token_bytes", lambda count: next(seeds))
    with pytest.raises(BootRefused, match="of its own"):
        BootKeys.generate()
