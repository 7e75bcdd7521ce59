"""The verifier's own promises: no result without every step, simulated never reads as genuine."""

from __future__ import annotations

import dataclasses
import hashlib
import ssl

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attestation.anchors import AWS_NITRO_ROOT_G1, AWS_NITRO_ROOT_G1_SHA256, SimulatedTrustAnchor, TrustAnchor
from attestation.documents import AttestationDocument
from attestation.errors import PolicyError, Rejected, RejectionClass, RejectionCode
from attestation.modes import Archived
from attestation.policy import UnsafeAnyMeasurement
from attestation.verifier import VerifiedDocument, verify
from tests.attestation import forge
from tests.attestation.judge import accept, reject

DEBUG = forge.PCRS | {0: bytes(48), 1: bytes(48), 2: bytes(48)}


def test_nobody_else_makes_a_verified_document() -> None:
    genuine = accept(forge.document())
    values = {field.name: getattr(genuine, field.name) for field in dataclasses.fields(genuine)}
    with pytest.raises(TypeError):
        VerifiedDocument(**values, guard=object())
    with pytest.raises(TypeError):
        VerifiedDocument(**values)
    with pytest.raises(TypeError):
        dataclasses.replace(genuine, valid_until_ms=0, guard=None)
    with pytest.raises(dataclasses.FrozenInstanceError):
        genuine.valid_until_ms = 0  # type: ignore[misc]  # must fail


def test_nobody_inherits_the_right_to_make_one() -> None:
    with pytest.raises(TypeError, match="no subclass"):
        type("Forged", (VerifiedDocument,), {"__post_init__": lambda self, guard: None})


def test_a_document_out_of_a_buffer_keeps_nothing_that_can_change() -> None:
    envelope = accept(bytearray(forge.document())).document.envelope  # type: ignore[arg-type]  # no bytes
    assert {type(part) for part in (envelope.protected, envelope.payload, envelope.signature)} == {bytes}


def test_fields_are_read_again_from_the_signed_payload() -> None:
    parsed = AttestationDocument.from_bytes(forge.document())
    lie = dataclasses.replace(parsed, pcrs={0: forge.pcr(9)}, nonce=b"lie", timestamp_ms=1, cabundle=())
    verified = verify(
        lie, policy=UnsafeAnyMeasurement(), mode=Archived(), anchor=forge.pki().anchor, allow_simulated=True
    )
    assert verified.document == parsed


@pytest.mark.parametrize("anchor", [forge.pki().anchor, TrustAnchor(forge.pki().certificates[0])])
def test_a_simulated_anchor_needs_an_allowance(anchor: TrustAnchor | SimulatedTrustAnchor) -> None:
    with pytest.raises(Rejected) as caught:
        verify(forge.document(), policy=UnsafeAnyMeasurement(), mode=Archived(), anchor=anchor)
    assert caught.value.code is RejectionCode.SIMULATED_ANCHOR


def test_a_simulated_verdict_says_so() -> None:
    verified = accept(forge.document())
    assert verified.simulated
    assert "simulated" in verified.proves[0]
    assert any("hardware" in limit for limit in verified.does_not_prove)


def test_the_default_anchor_refuses_the_forge() -> None:
    with pytest.raises(Rejected) as caught:
        verify(forge.document(), policy=UnsafeAnyMeasurement(), mode=Archived(), allow_simulated=True)
    assert caught.value.code is RejectionCode.TRUST_ANCHOR


def test_the_anchor_is_derived_from_its_fingerprint() -> None:
    assert not AWS_NITRO_ROOT_G1.simulated
    assert AWS_NITRO_ROOT_G1.sha256 == AWS_NITRO_ROOT_G1_SHA256
    assert hashlib.sha256(AWS_NITRO_ROOT_G1.der).hexdigest() == AWS_NITRO_ROOT_G1_SHA256
    assert TrustAnchor(AWS_NITRO_ROOT_G1.der + b"\0").simulated
    assert not issubclass(SimulatedTrustAnchor, TrustAnchor)
    assert not issubclass(TrustAnchor, SimulatedTrustAnchor)


def test_an_anchor_is_one_certificate() -> None:
    with pytest.raises(PolicyError):
        SimulatedTrustAnchor.from_pem(b"no certificate")


@pytest.mark.parametrize(
    "pcrs",
    [
        pytest.param(DEBUG, id="PCR0, 1, 2 zero, PCR4 set"),
        pytest.param(forge.PCRS | {0: bytes(48)}, id="PCR0 zero"),
        pytest.param({4: forge.pcr(4)}, id="PCR0, 1, 2 missing"),
    ],
)
def test_debug_mode_is_refused_and_when_allowed_named(pcrs: dict[int, bytes]) -> None:
    document = forge.document(pcrs=pcrs)
    reject(RejectionCode.DEBUG_MODE, document)
    assert any("debug" in limit for limit in accept(document, allow_debug=True).does_not_prove)
    assert not any("debug" in limit for limit in accept(forge.document()).does_not_prove)


def test_nothing_is_left_to_chance_about_codes() -> None:
    values = [code.value for code in RejectionCode]
    assert len(set(values)) == len(values)
    assert {code.rejection_class for code in RejectionCode} == set(RejectionClass)
    assert all(value == value.lower() and "_" not in value for value in values)
    assert str(Rejected(RejectionCode.NONCE, "a", "b")) == "nonce: expected a, got b"


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 255))
def test_a_flipped_byte_anywhere_is_rejected(at: int, flip: int) -> None:
    document = bytearray(forge.document())
    document[at % len(document)] ^= flip
    with pytest.raises(Rejected):
        accept(bytes(document))


def test_an_anchor_is_one_certificate_of_a_known_version() -> None:
    der = forge.pki().certificates[0]
    pem = ssl.DER_cert_to_PEM_cert(der).encode()
    assert SimulatedTrustAnchor.from_pem(pem).der == der
    of_version_4 = ssl.DER_cert_to_PEM_cert(der.replace(bytes.fromhex("a003020102"), bytes.fromhex("a003020103")))
    for other in (pem + pem, of_version_4.encode()):
        with pytest.raises(PolicyError):
            SimulatedTrustAnchor.from_pem(other)
