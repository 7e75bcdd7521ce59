"""Invariant of ``verify_log``: whatever the leaves and the checkpoints, ProofRejected, or the log that was signed.

One input is the leaves beside sound checkpoints, and then the checkpoints beside sound leaves.
"""

from __future__ import annotations

from functools import cache
from io import BytesIO

from attestation.proof_errors import Layer, ProofRejected
from attestation.proofs.log import Boot, verify_log
from tests.attestation.issuing import Enclave
from tests.fuzz.targets import check


def seeds() -> list[bytes]:
    log = _log()
    return [_leaves(log), _records(log.checkpoints), _records(log.checkpoints[1:]), b"\xff\xff\xff\xff"]


def one_input(data: bytes) -> None:
    log = _log()
    check(_size(data, _records(log.checkpoints)) in ({7} if data == _leaves(log) else {None}), "the leaves signed")
    accepted = _size(_leaves(log), data)
    check(accepted in (None, 7), "a checkpoint of all leaves")
    if accepted is not None:
        check(data in (_records(log.checkpoints), _records(log.checkpoints[1:])), "checkpoints as they were signed")


def _size(leaves: bytes, checkpoints: bytes) -> int | None:
    log = _log()
    try:
        return verify_log(Boot(log.boot_id, log.point), BytesIO(leaves), BytesIO(checkpoints)).last.size
    except ProofRejected as refused:
        check(refused.code.layer is Layer.LOG, "a code of the log")
        return None


@cache
def _log() -> Enclave:
    """Seven leaves under checkpoints of three and of all."""
    enclave = Enclave("A")
    enclave.fill(3)
    enclave.checkpoint()
    enclave.fill(4)
    enclave.checkpoint()
    return enclave


def _leaves(log: Enclave) -> bytes:
    return b"".join(log.leaves)


def _records(checkpoints: list[bytes]) -> bytes:
    return b"".join(len(each).to_bytes(4, "big") + each for each in checkpoints)
