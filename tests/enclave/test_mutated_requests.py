"""50,000 mutated requests at a real enclave process: it goes on, keeps nothing, says only the fixed set (R20)."""

import socket
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from strongroom.protocol.errors import Malformed, OpenFailed, Unsupported
from strongroom.protocol.messages import SealedRequestHead
from strongroom.protocol.problems import Problem
from strongroom.protocol.requests import RequestOpener
from strongroom.protocol.suites import KEMKeyPair, Suite
from strongroom.simulator.appliance import Appliance
from tests.enclave.deployment import request_key
from tests.enclave.mutated.cases import Cases
from tests.enclave.mutated.expectations import faults
from tests.enclave.mutated.log_reader import LogReader
from tests.enclave.mutated.run import Verdict, judge
from tests.enclave.mutated.sealers import CANARY, EnvelopeSealer, LiveSealer, Sealer

CASES, SEED = 50_000, 5
OPENERS = [RequestOpener(KEMKeyPair.from_seed(suite, b"s" * 32)) for suite in Suite]


def test_the_enclave_outlives_mutated_requests(tensor_dir: Path, tmp_path: Path) -> None:
    with Appliance(tmp_path / "appliance", [tensor_dir]) as appliance:
        pid = appliance.parts["enclave"].process.pid
        verdict = judge(appliance, CASES, SEED)
        assert faults(verdict, pid, appliance) == []
    assert {400, 422, 200} <= verdict.statuses.keys()
    assert verdict.reached > CASES // 4


# An appliance of which only the enclave's process matters.
PART = SimpleNamespace(ended=False, process=SimpleNamespace(pid=1))
STANDING = cast(Appliance, SimpleNamespace(parts={"enclave": PART}))


def verdict_of(*answers: tuple[int, bytes]) -> Verdict:
    verdict = Verdict(len(answers))
    for status, answer in answers:
        verdict.add(status, answer)
    return verdict


REJECTED = (400, b"head\r\n\r\n" + Problem.REJECTED.to_bytes())
SEALED = (200, b"sealed")


@pytest.mark.parametrize(
    ("answers", "fault"),
    [
        ((SEALED, REJECTED, REJECTED), None),
        ((SEALED, REJECTED, (400, b"longer head\r\n\r\n" + Problem.REJECTED.to_bytes())), "same bytes"),
        ((SEALED, (500, b"Internal Server Error")), "fixed problems"),
        (((200, b"sealed " + CANARY), REJECTED), "canary"),
        ((SEALED, (400, b"head\r\n\r\n" + Problem.REJECTED.to_bytes() + CANARY)), "canary"),
        ((SEALED, (200, b"head\r\n\r\nlonger")), "one size"),
        ((REJECTED,), "sealed"),
    ],
)
def test_each_fault_is_found(answers: tuple[tuple[int, bytes], ...], fault: str | None) -> None:
    found = faults(verdict_of(*answers), 1, STANDING)
    assert bool(found) == (fault is not None)
    assert any((fault or "") in each for each in found) == (fault is not None)


def test_growth_errors_and_a_process_that_was_replaced_are_found() -> None:
    verdict = verdict_of(SEALED)
    verdict.grown_bytes, verdict.unforeseen = 17 << 20, 1
    assert len(faults(verdict, 2, STANDING)) == 3


def test_every_line_of_the_log_is_read(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "log.sock"))
        listener.listen()
        with LogReader(tmp_path / "log.sock") as log:
            connection, _ = listener.accept()
            with connection:
                for piece in (b'{"code":"unfor', b'eseen"}\n{"code":"busy"}\n', b'{"code":"unforeseen"}\n'):
                    connection.sendall(piece)
    assert log.found(b"unforeseen") == 2


def sealers() -> list[Sealer]:
    return [
        *(LiveSealer.to(each.configuration) for each in OPENERS),
        EnvelopeSealer(request_key(), bytes(32), b"wrapped"),
    ]


def test_every_second_case_opens_and_most_of_those_hold_the_canary() -> None:
    cases = Cases(sealers(), 1, lambda: 0)
    openers = {opener.configuration.key_id: opener for opener in OPENERS}
    opened = [opens(openers, each) for each in islice(cases, 400)]
    live = opened[1::2].count(True)
    assert not any(opened[::2])
    assert live > 100  # the others are KMS envelopes
    assert cases.reached > 100


def opens(openers: dict[bytes, RequestOpener], message: bytes) -> bool:
    """The seal itself holds, whatever is inside."""
    try:
        head, _ = SealedRequestHead.read(message)
        openers[head.key_id].open(message)
    except (OpenFailed, KeyError):
        return False
    except Malformed as malformed:
        return "sealed request" not in str(malformed)
    except Unsupported:
        return False
    return True
