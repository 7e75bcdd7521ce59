"""Documents on demand: refused beyond a module's limits, and otherwise what was asked for."""

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from attestation.anchors import SimulatedTrustAnchor
from attestation.documents import AttestationDocument
from attestation.measurements import parent_instance_pcr4, parent_role_pcr3
from attestation.modes import Live
from attestation.policy import UnsafeAnyMeasurement
from attestation.verifier import verify
from strongroom.simulator.attest import (
    SAMPLE_IMAGE,
    SAMPLE_INSTANCE,
    SAMPLE_ROLE,
    AttestRefused,
    AttestRequest,
    attest,
)
from strongroom.simulator.pki import SimulatedPKI
from tests.simulator.helpers import AT_MS, SEED

PKI = SimulatedPKI(SEED)
KEY = (
    ec.generate_private_key(ec.SECP256R1())
    .public_key()
    .public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
)
PKCS1 = (
    rsa.generate_private_key(65537, 2048)
    .public_key()
    .public_bytes(serialization.Encoding.DER, serialization.PublicFormat.PKCS1)
)
UNKNOWN = bytes.fromhex("300f300a06062a03040506073000030100")


def asked(
    *,
    public_key: bytes = KEY,
    nonce: bytes | None = None,
    user_data: bytes | None = None,
    pcrs: dict[int, bytes] | None = None,
) -> AttestRequest:
    return AttestRequest(public_key, nonce, user_data, pcrs or {})


@pytest.mark.parametrize(
    "public_key",
    [b"", b"\x30", KEY + b"x", KEY[:-1], b"-----BEGIN PUBLIC KEY-----\n", PKCS1, UNKNOWN],
    ids=["nothing", "a byte", "a byte more", "a byte less", "PEM", "PKCS #1", "unknown algorithm"],
)
def test_a_key_that_is_no_spki_is_refused(public_key: bytes) -> None:
    with pytest.raises(AttestRefused, match="openssl"):
        asked(public_key=public_key)


def test_fields_beyond_a_modules_limits_are_refused() -> None:
    asked(nonce=bytes(512), user_data=bytes(512))
    with pytest.raises(AttestRefused, match="nonce: expected at most 512 bytes, got 513"):
        asked(nonce=bytes(513))
    with pytest.raises(AttestRefused, match="user data: expected at most 512 bytes, got 513"):
        asked(user_data=bytes(513))


@pytest.mark.parametrize("pcrs", [{32: bytes(48)}, {-1: bytes(48)}, {0: bytes(47)}, {0: bytes(49)}, {17: b""}])
def test_a_pcr_that_no_module_has_is_refused(pcrs: dict[int, bytes]) -> None:
    with pytest.raises(AttestRefused, match="PCR"):
        asked(pcrs=pcrs)


def test_the_document_says_what_was_asked_for() -> None:
    pcrs = {1: b"\x01" * 48, 3: b"\x03" * 48, 4: b"\x04" * 48, 8: b"\x08" * 48, 31: b"\x31" * 48, 17: b"\x17" * 48}
    document = attest(PKI, asked(nonce=b"n" * 32, user_data=b"u", pcrs=pcrs), at_ms=AT_MS)
    verified = verify(
        document,
        policy=UnsafeAnyMeasurement(),
        mode=Live(nonce=b"n" * 32, at_ms=AT_MS),
        anchor=SimulatedTrustAnchor.from_pem(PKI.root_pem()),
        allow_simulated=True,
        expect_public_key=KEY,
        expect_user_data=b"u",
    )
    assert {index: verified.document.pcrs[index] for index in pcrs} == pcrs
    assert list(verified.document.pcrs) == [*range(16), 17, 31]


def test_what_nobody_gives_is_a_sample() -> None:
    pcrs = AttestationDocument.from_bytes(attest(PKI, asked(), at_ms=AT_MS)).pcrs
    host = {3: parent_role_pcr3(SAMPLE_ROLE), 4: parent_instance_pcr4(SAMPLE_INSTANCE)}
    assert {index: value for index, value in pcrs.items() if any(value)} == {**SAMPLE_IMAGE, **host}
    assert len(set(SAMPLE_IMAGE.values())) == 3


def test_zeros_are_given_to_who_asks_for_them() -> None:
    zeros = dict.fromkeys(range(3), bytes(48))
    pcrs = AttestationDocument.from_bytes(attest(PKI, asked(pcrs=zeros), at_ms=AT_MS)).pcrs
    assert {index: pcrs[index] for index in zeros} == zeros


def test_equal_requests_give_equal_bytes() -> None:
    assert attest(PKI, asked(), at_ms=AT_MS) == attest(PKI, asked(), at_ms=AT_MS)
