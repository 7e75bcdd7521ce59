"""What is seen of an enclave from outside: its own word, and a proof; an open port is neither."""

import json
import time
from pathlib import Path

import pytest

from parent.lifecycle.launcher import Launched
from parent.lifecycle.observer import observing
from parent.lifecycle.record import State
from strongroom.protocol.constants import BootState
from strongroom.protocol.problems import Problem
from strongroom.simulator.pki import SimulatedPKI
from strongroom.transport.addresses import UnixAddress
from tests.parent.support import FakeEnclave, Handler, enclave_at, fixed, refusing
from tests.parent.test_readiness import attesting, nsm_of, trust_in

PKI = SimulatedPKI(b"\x07" * 32)


def launched(folder: Path) -> Launched:
    addresses = (UnixAddress(folder / name) for name in ("api", "control", "log"))
    return Launched("enclave", 1, None, "", *addresses)


def standing(state: BootState) -> Handler:
    return fixed(200, "application/json", json.dumps({"state": state}).encode())


def honest() -> Handler:
    return attesting(nsm_of(PKI, at_ms=time.time_ns() // 1_000_000))


async def seen(folder: Path, state: BootState, attestation: Handler) -> tuple[State, str]:
    control, api = FakeEnclave({"GET /boot": standing(state)}), FakeEnclave({"GET /v1/attestation": attestation})
    trust = trust_in(PKI, folder)
    async with (
        enclave_at(folder / "control", control),
        enclave_at(folder / "api", api),
        observing(launched(folder), trust) as observer,
    ):
        return await observer.look(), observer.reason


async def test_nobody_answers(tmp_path: Path) -> None:
    async with observing(launched(tmp_path), trust_in(PKI, tmp_path)) as observer:
        assert await observer.look() is State.BOOTING
        assert observer.step is None


@pytest.mark.parametrize("step", [step for step in BootState if step is not BootState.READY])
async def test_before_ready_nothing_is_asked_of_its_api(tmp_path: Path, step: BootState) -> None:
    expected = State.BOOTED if step is BootState.BOOTED else State.CONFIGURED
    assert await seen(tmp_path, step, honest()) == (expected, "no document was judged yet")


async def test_a_proof_makes_it_ready(tmp_path: Path) -> None:
    state, reason = await seen(tmp_path, BootState.READY, honest())
    assert (state, reason) == (State.READY, "the enclave answered a fresh nonce")


async def test_its_own_word_does_not(tmp_path: Path) -> None:
    other = attesting(nsm_of(SimulatedPKI(b"\x08" * 32), at_ms=time.time_ns() // 1_000_000))
    assert await seen(tmp_path, BootState.READY, other) == (State.CONFIGURED, "trust-anchor")
    state, _ = await seen(tmp_path, BootState.READY, refusing(Problem.BUSY))
    assert state is State.CONFIGURED


async def test_a_proof_holds_for_a_while(tmp_path: Path) -> None:
    control, api = FakeEnclave({"GET /boot": standing(BootState.READY)}), FakeEnclave({"GET /v1/attestation": honest()})
    async with (
        enclave_at(tmp_path / "control", control),
        enclave_at(tmp_path / "api", api),
        observing(launched(tmp_path), trust_in(PKI, tmp_path)) as observer,
    ):
        assert [await observer.look() for _ in range(5)] == [State.READY] * 5
    assert len(api.requests) == 1
