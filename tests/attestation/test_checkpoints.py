"""Checkpoints: their bytes, and whose they are."""

from __future__ import annotations

import hashlib

import cbor2
import pytest

from attestation.checkpoints import Checkpoint
from attestation.proof_errors import ProofCode, ProofRejected
from attestation.proofs.checkpoints import boot_of_checkpoint, verify_checkpoint
from attestation.signing import signed
from tests.attestation.issuing import Enclave, derived, receipt_private_key

ENCLAVE = Enclave("A")
ENCLAVE.fill(5)
ROOT = ENCLAVE.frontier.root()
SOUND = ENCLAVE.checkpoint()
SAID = cbor2.loads(cbor2.loads(SOUND).value[2])


def code_of(data: bytes, enclave: Enclave = ENCLAVE) -> ProofCode | None:
    try:
        verify_checkpoint(data, receipt_key=enclave.point, boot_id=enclave.boot_id)
    except ProofRejected as rejected:
        return rejected.code
    return None


def test_layout() -> None:
    checkpoint = verify_checkpoint(SOUND, receipt_key=ENCLAVE.point, boot_id=ENCLAVE.boot_id)
    assert {
        265: "urn:strongroom:checkpoint:v1",
        -70001: checkpoint.time_ms,
        -70011: ENCLAVE.boot_id,
        -70012: [5, ROOT],
    } == SAID
    assert list(SAID) == sorted(SAID, key=cbor2.dumps)
    assert boot_of_checkpoint(SOUND) == ENCLAVE.boot_id


def test_of_another_boot() -> None:
    other = Enclave("B")
    other.fill(5)
    assert code_of(other.checkpoint()) is ProofCode.CHECKPOINT_BOOT
    forged = signed(cbor2.loads(SOUND).value[2], receipt_private_key("B"))
    assert code_of(forged) is ProofCode.CHECKPOINT_SIGNATURE


@pytest.mark.parametrize(
    "changes",
    [
        {265: "urn:strongroom:receipt:v1"},
        {265: None},
        {-70001: 0},
        {-70001: True},
        {-70011: bytes(31)},
        {-70012: [5]},
        {-70012: [0, derived("a root")]},
        {-70012: [5, hashlib.sha256().digest()]},
        {-70012: [-1, bytes(32)]},
        {-70002: bytes(48)},
        {6: 1},
    ],
)
def test_claims_of_another_form(changes: dict[int, object]) -> None:
    assert code_of(signed(cbor2.dumps(SAID | changes), ENCLAVE.key)) is ProofCode.CHECKPOINT_FORM


@pytest.mark.parametrize("left_out", SAID)
def test_every_claim_is_needed(left_out: int) -> None:
    said = {key: value for key, value in SAID.items() if key != left_out}
    assert code_of(signed(cbor2.dumps(said), ENCLAVE.key)) is ProofCode.CHECKPOINT_FORM


def test_claims_in_another_encoding() -> None:
    pairs = [cbor2.dumps(key) + cbor2.dumps(value) for key, value in SAID.items()]
    for data in (b"\xa4" + b"".join(reversed(pairs)), b"\xbf" + b"".join(pairs) + b"\xff"):
        assert cbor2.loads(data) == SAID
        assert code_of(signed(data, ENCLAVE.key)) is ProofCode.CHECKPOINT_FORM


@pytest.mark.parametrize("data", [b"", SOUND[1:], SOUND + b"\0", ENCLAVE.issue().receipt])
def test_bytes_of_another_form(data: bytes) -> None:
    assert code_of(data) is ProofCode.CHECKPOINT_FORM


def test_a_checkpoint_of_an_empty_log() -> None:
    fresh = Enclave("A")
    assert code_of(fresh.checkpoint()) is None
    assert Checkpoint(fresh.boot_id, 0, fresh.frontier.root(), 1).root == hashlib.sha256().digest()


def test_every_altered_bit_shows() -> None:
    for at in range(len(SOUND)):
        altered = SOUND[:at] + bytes([SOUND[at] ^ 1 << at % 8]) + SOUND[at + 1 :]
        assert code_of(altered) is not None
