"""Readiness is what an attestation verifier says of a fresh document, and nothing else."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from attestation.measurements import parent_role_pcr3
from attestation.policy import Measurements, UnsafeAnyMeasurement
from attestation.policy_file import dump_measurements
from parent.background import background
from parent.link import EnclaveLink
from parent.readiness import LARGE_DOCUMENT_BYTES, Readiness
from parent.settings import Settings
from parent.trust import UNSAFE_POLICY, Trust
from strongroom.protocol.constants import MEDIA_ATTESTATION
from strongroom.protocol.problems import Problem
from strongroom.simulator.nsm import SoftwareNSM
from strongroom.simulator.pki import SimulatedPKI
from strongroom.transport.addresses import UnixAddress
from tests.parent.support import (
    KEY,
    Exchange,
    FakeEnclave,
    Gateway,
    Handler,
    appliance,
    enclave_at,
    enclaves_in,
    eventually,
    gateway_to,
    holding,
    refusing,
)
from tests.simulator import large_bundle

ROLE = "arn:aws:iam::111122223333:role/strongroom-parent"
IMAGE = {index: bytes([index + 1]) * 48 for index in range(3)}
NOW_MS = 1_790_000_000_000


class Clock:
    """Time that stands still until told otherwise."""

    def __init__(self) -> None:
        self.monotonic_s = 100.0

    def now_ms(self) -> int:
        return NOW_MS


@pytest.fixture(scope="module")
def pki() -> SimulatedPKI:
    return SimulatedPKI(b"\x07" * 32)


def nsm_of(pki: SimulatedPKI, *, at_ms: int = NOW_MS, image: dict[int, bytes] = IMAGE) -> SoftwareNSM:
    return SoftwareNSM(
        pki,
        image_pcrs=image,
        parent_role_arn=ROLE,
        parent_instance_id="i-0123456789abcdef0",
        clock=lambda: at_ms,
    )


def attesting(nsm: SoftwareNSM, alter: Callable[[bytes], bytes] = lambda nonce: nonce) -> Handler:
    """A handler that answers with a genuine document for the (altered) nonce."""

    async def handler(exchange: Exchange) -> None:
        nonce = bytes.fromhex(exchange.scope["query_string"].decode().removeprefix("nonce="))
        await exchange.answer(200, MEDIA_ATTESTATION, nsm.attest(nonce=alter(nonce)))

    return handler


def trust_in(pki: SimulatedPKI, folder: Path, *, pcr0: bytes | None = None, anchored: bool = True) -> Trust:
    (folder / "root.pem").write_bytes(pki.root_pem())
    pcrs = IMAGE | {0: pcr0 or IMAGE[0], 3: parent_role_pcr3(ROLE)}
    (folder / "policy.toml").write_text(dump_measurements([Measurements(pcrs, "release")]))
    settings = Settings(enclaves=enclaves_in(folder), policy=folder / "policy.toml")
    if anchored:
        settings = replace(settings, trust_anchor=folder / "root.pem", allow_simulated=True)
    return Trust.load(settings)


async def judged(folder: Path, handler: Handler | None, trust: Trust, clock: Clock) -> Readiness:
    """Readiness after one attempt at an enclave with that handler, or at none."""
    address = UnixAddress(folder / "api")
    async with EnclaveLink(address, timeout_s=5, max_exchanges=4) as link:
        readiness = Readiness(link, trust, now_ms=clock.now_ms, monotonic_s=lambda: clock.monotonic_s)
        assert not readiness.ready
        if handler is None:
            await readiness.attempt()
        else:
            async with enclave_at(folder / "api", FakeEnclave({"GET /v1/attestation": handler})):
                await readiness.attempt()
    return readiness


async def test_a_verified_document_makes_ready_for_a_minute(tmp_path: Path, pki: SimulatedPKI) -> None:
    clock = Clock()
    readiness = await judged(tmp_path, attesting(nsm_of(pki)), trust_in(pki, tmp_path), clock)
    report: dict[str, Any] = dict(readiness.report())
    assert report["ready"]
    assert (report["state"], report["age_s"]) == ("verified", 0)
    clock.monotonic_s += 60
    assert readiness.ready
    clock.monotonic_s += 0.1
    assert not readiness.ready


@pytest.mark.parametrize(
    ("defect", "reason"),
    [
        ("another nonce", "nonce"),
        ("an old document", "too-old"),
        ("another image", "measurement"),
        ("debug mode", "debug-mode"),
        ("the AWS root", "trust-anchor"),
        ("another root", "trust-anchor"),
    ],
)
async def test_a_document_that_does_not_verify_makes_not_ready(
    tmp_path: Path, pki: SimulatedPKI, defect: str, reason: str
) -> None:
    nsm = nsm_of(pki, at_ms=NOW_MS - 3_600_000 if defect == "an old document" else NOW_MS)
    if defect == "debug mode":
        nsm = nsm_of(pki, image=dict.fromkeys(range(3), bytes(48)))
    if defect == "another root":
        nsm = nsm_of(SimulatedPKI(b"\x08" * 32))
    trust = trust_in(
        pki, tmp_path, pcr0=b"x" * 48 if defect == "another image" else None, anchored=defect != "the AWS root"
    )
    handler = attesting(nsm, lambda nonce: b"\0" * 32 if defect == "another nonce" else nonce)
    readiness = await judged(tmp_path, handler, trust, Clock())
    report = readiness.report()
    assert not report["ready"]
    assert (report["state"], report["reason"]) == ("rejected", reason)


async def test_bytes_that_are_no_document_make_not_ready(tmp_path: Path, pki: SimulatedPKI) -> None:
    async def garbage(exchange: Exchange) -> None:
        await exchange.answer(200, MEDIA_ATTESTATION, b"\x84garbage")

    report = (await judged(tmp_path, garbage, trust_in(pki, tmp_path), Clock())).report()
    assert (report["ready"], report["state"]) == (False, "rejected")


@pytest.mark.parametrize("handler", [None, refusing(Problem.BUSY)])
async def test_an_enclave_that_does_not_answer_makes_not_ready(
    tmp_path: Path, pki: SimulatedPKI, handler: Handler | None
) -> None:
    report = (await judged(tmp_path, handler, trust_in(pki, tmp_path), Clock())).report()
    assert (report["ready"], report["state"]) == (False, "unreachable")


class ClockOfTheBundle(Clock):
    """The moment at which a large bundle is good."""

    def now_ms(self) -> int:
        return large_bundle.AT_MS


async def judged_with(folder: Path, leaf_bytes: int) -> dict[str, Any]:
    """The report on an enclave whose bundle is eight times 1,024 bytes."""
    bundle = large_bundle.LargeBundle(leaf_bytes)
    nsm = SoftwareNSM(
        bundle,
        image_pcrs=IMAGE,
        parent_role_arn=ROLE,
        parent_instance_id="i-0123456789abcdef0",
        module_id=large_bundle.MODULE_ID,
        clock=lambda: large_bundle.AT_MS,
    )
    trust = Trust(bundle.anchor, True, UnsafeAnyMeasurement(), UNSAFE_POLICY)
    return dict((await judged(folder, attesting(nsm), trust, ClockOfTheBundle())).report())


async def test_a_document_of_the_largest_bundle_is_verified_and_warned_of(tmp_path: Path) -> None:
    report = await judged_with(tmp_path, 1024)
    assert (report["ready"], report["state"]) == (True, "verified")
    assert 10_240 < report["document_bytes"] < 12_288
    [warning] = report["warnings"]
    assert f"expected at most 10240 bytes, got {report['document_bytes']}" in warning


async def test_the_warning_begins_right_above_10_kib(tmp_path: Path) -> None:
    surplus = (await judged_with(tmp_path, 1024))["document_bytes"] - LARGE_DOCUMENT_BYTES
    for leaf_bytes, warnings in ((1024 - surplus, 0), (1025 - surplus, 1)):
        report = await judged_with(tmp_path, leaf_bytes)
        assert report["document_bytes"] == LARGE_DOCUMENT_BYTES + warnings
        assert len(report["warnings"]) == warnings


async def test_an_ordinary_document_has_a_size_and_no_warning(tmp_path: Path, pki: SimulatedPKI) -> None:
    rejected = await judged(tmp_path, attesting(nsm_of(pki)), trust_in(pki, tmp_path, anchored=False), Clock())
    assert (rejected.report()["document_bytes"], rejected.report()["warnings"]) == (None, [])
    nsm = nsm_of(pki)
    report = (await judged(tmp_path, attesting(nsm), trust_in(pki, tmp_path), Clock())).report()
    assert report["document_bytes"] == len(nsm.attest(nonce=bytes(32)))
    assert report["warnings"] == []


async def test_one_failure_after_success_makes_not_ready_at_once(tmp_path: Path, pki: SimulatedPKI) -> None:
    clock = Clock()
    async with EnclaveLink(UnixAddress(tmp_path / "api"), timeout_s=5, max_exchanges=4) as link:
        readiness = Readiness(link, trust_in(pki, tmp_path), now_ms=clock.now_ms, monotonic_s=lambda: clock.monotonic_s)
        async with enclave_at(tmp_path / "api", FakeEnclave({"GET /v1/attestation": attesting(nsm_of(pki))})):
            await readiness.attempt()
            assert readiness.ready
        await readiness.attempt()
    assert not readiness.ready


async def test_what_happens_to_one_that_is_not_ready_is_looked_at_before_its_turn(
    tmp_path: Path, pki: SimulatedPKI, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("parent.readiness._FAILED_PAUSES_S", (0.01, 600.0))
    async with asyncio.timeout(10), EnclaveLink(UnixAddress(tmp_path / "api"), timeout_s=5, max_exchanges=4) as link:
        clock = Clock()
        readiness = Readiness(link, trust_in(pki, tmp_path), now_ms=clock.now_ms, monotonic_s=lambda: clock.monotonic_s)
        async with background("readiness", readiness.run()):
            await eventually(lambda: readiness.report()["state"] == "unreachable")
            async with enclave_at(tmp_path / "api", FakeEnclave({"GET /v1/attestation": attesting(nsm_of(pki))})):
                readiness.doubt()
                await eventually(lambda: readiness.ready)


async def test_readyz_says_why_not_and_under_which_policy(tmp_path: Path) -> None:
    async with gateway_to(tmp_path) as gateway:
        reply = await gateway.get("/readyz")
        assert (reply.status, reply.headers["Content-Type"]) == (503, "application/json")
        report = json.loads(reply.body)
        assert report["ready"] is False
        [enclave] = report["enclaves"]
        assert (enclave["enclave"], enclave["ready"]) == (1, False)
        assert enclave["state"] in ("unverified", "unreachable")
        assert report["policy"] == "unsafe-any-measurement"
        assert report["trust_anchor"]["simulated"] is False
        assert b"strongroom_gateway_ready 0.0" in (await gateway.get("/metrics")).body


async def test_readyz_turns_200_in_the_running_gateway(tmp_path: Path, pki: SimulatedPKI) -> None:
    (tmp_path / "root.pem").write_bytes(pki.root_pem())
    settings = Settings(enclaves=enclaves_in(tmp_path), trust_anchor=tmp_path / "root.pem", allow_simulated=True)
    nsm = SoftwareNSM(pki, image_pcrs=IMAGE, parent_role_arn=ROLE, parent_instance_id="i-0123456789abcdef0")
    enclave = FakeEnclave({"GET /v1/attestation": attesting(nsm)})
    async with enclave_at(tmp_path / "api", enclave), gateway_to(tmp_path, settings) as gateway:
        while (reply := await gateway.get("/readyz")).status != 200:
            assert json.loads(reply.body)["enclaves"][0]["state"] == "unverified"
        assert b"strongroom_gateway_ready 1.0" in (await gateway.get("/metrics")).body
    assert len(enclave.requests) == 1
    assert len(enclave.requests[0].partition("?nonce=")[2]) == 64


async def test_a_failed_exchange_makes_readiness_look_at_once(tmp_path: Path, pki: SimulatedPKI) -> None:
    (tmp_path / "root.pem").write_bytes(pki.root_pem())
    settings = Settings(enclaves=enclaves_in(tmp_path), trust_anchor=tmp_path / "root.pem", allow_simulated=True)
    nsm = SoftwareNSM(pki, image_pcrs=IMAGE, parent_role_arn=ROLE, parent_instance_id="i-0123456789abcdef0")
    async with gateway_to(tmp_path, settings) as gateway, asyncio.timeout(10):
        async with enclave_at(tmp_path / "api", FakeEnclave({"GET /v1/attestation": attesting(nsm)})):
            await _readyz_says(gateway, 200)
        assert (await gateway.get("/v1/evidence")).problem is Problem.ENCLAVE_UNREACHABLE
        await _readyz_says(gateway, 503)  # at once, not after the 30 s until the next turn


async def test_clients_that_fill_the_link_do_not_make_the_enclave_unready(tmp_path: Path, pki: SimulatedPKI) -> None:
    async def occupied(exchange: Exchange) -> None:
        await exchange.body()
        await exchange.disconnected()

    (tmp_path / "root.pem").write_bytes(pki.root_pem())
    settings = Settings(enclaves=enclaves_in(tmp_path), trust_anchor=tmp_path / "root.pem", allow_simulated=True)
    nsm = SoftwareNSM(pki, image_pcrs=IMAGE, parent_role_arn=ROLE, parent_instance_id="i-0123456789abcdef0")
    enclave = FakeEnclave({**holding(KEY), "POST /v1/sealed": occupied})
    async with (
        asyncio.timeout(10),
        gateway_to(tmp_path, settings, max_exchanges=1, turn_timeout_s=0.05) as gateway,
        enclave_at(tmp_path / "api", enclave),
    ):
        client = asyncio.create_task(gateway.seal())
        await eventually(lambda: "POST /v1/sealed" in enclave.requests)
        assert (await gateway.seal()).problem is Problem.BUSY
        enclave.handlers["GET /v1/attestation"] = attesting(nsm)
        await _readyz_says(gateway, 200)
        client.cancel()


async def _readyz_says(gateway: Gateway, status: int) -> None:
    while True:
        if (await gateway.get("/readyz")).status == status:
            return
        await asyncio.sleep(0.02)


async def test_liveness_does_not_depend_on_the_enclave(tmp_path: Path) -> None:
    async with appliance(tmp_path, {}) as gateway:
        assert (await gateway.get("/livez")).body == b'{"live":true}'
