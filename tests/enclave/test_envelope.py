"""CiphertextForRecipient: what KMS really sends opens, everything near it is one and the same error."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7

from enclave.errors import KMSRefused
from enclave.kms.envelope import MAX_CMS_BYTES, RecipientEnvelope, open_data_key
from strongroom.simulator.cms import ciphertext_for_recipient
from tests.corpus import corpus
from tests.simulator.helpers import spki

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PLAINTEXT = b"d" * 32
_EPOCH = datetime(2020, 1, 1, tzinfo=UTC)
ENVELOPE = ciphertext_for_recipient(PLAINTEXT, spki(KEY))


def samples() -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = json.loads((corpus("cms") / "manifest.json").read_text())
    return [{**sample, "bytes": (corpus("cms") / sample["file"]).read_bytes()} for sample in listed]


@pytest.mark.parametrize("size", [1, 15, 16, 32, 4096])
def test_an_envelope_opens(size: int) -> None:
    envelope = ciphertext_for_recipient(b"x" * size, spki(KEY))
    assert RecipientEnvelope.from_bytes(envelope).open(KEY) == b"x" * size


def refusals(*envelopes: bytes) -> set[tuple[str, str]]:
    """The code and text of each refusal; an envelope that opens must open to another key."""
    found = set()
    for envelope in envelopes:
        try:
            assert open_data_key(envelope, KEY) != PLAINTEXT
        except KMSRefused as refused:
            found.add((refused.code, str(refused)))
    return found


def test_every_failure_is_the_same_error() -> None:
    cases = [b"", b"x", b"\x30\x80", ENVELOPE[:-1], ENVELOPE + b"x", ENVELOPE * 100, b"\x30\x80" * (MAX_CMS_BYTES // 2)]
    for position in range(0, len(ENVELOPE), 3):
        altered = bytearray(ENVELOPE)
        altered[position] ^= 0x41
        cases.append(bytes(altered))
    cases += [ciphertext_for_recipient(b"d" * size, spki(KEY)) for size in (1, 31, 33, 48)]
    cases.append(ciphertext_for_recipient(PLAINTEXT, spki(OTHER_KEY)))
    assert len(refusals(*cases)) == 1


def test_a_padding_oracle_finds_one_outcome() -> None:
    """256 guesses at the last byte of the padding: one is right, and its length is wrong, which must not show."""
    parsed = RecipientEnvelope.from_bytes(ENVELOPE)
    at = ENVELOPE.index(parsed.ciphertext)
    cases = []
    for guess in range(1, 256):
        altered = bytearray(ENVELOPE)
        altered[at + 31] ^= guess
        cases.append(bytes(altered))
    assert len(refusals(*cases)) == 1
    assert refusals(ENVELOPE[: at + 31] + bytes([ENVELOPE[at + 31] ^ 0x10 ^ 0x01]) + ENVELOPE[at + 32 :])


def test_nothing_is_decrypted_for_another_recipient(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[bytes] = []
    monkeypatch.setattr("enclave.kms.envelope._unwrap", lambda wrapped, key: tried.append(wrapped))
    with pytest.raises(KMSRefused):
        open_data_key(ENVELOPE, OTHER_KEY)
    assert tried == []
    with pytest.raises(KMSRefused):
        open_data_key(ENVELOPE, KEY)
    assert len(tried) == 1


def test_a_wrapped_key_that_does_not_open_takes_the_same_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """The content is decrypted under a random key, and refused even if its padding should happen to be right."""
    parsed = RecipientEnvelope.from_bytes(ENVELOPE)
    broken = RecipientEnvelope(parsed.subject_key_identifier, bytes(256), parsed.iv, parsed.ciphertext)
    steps: list[int] = []

    def decrypt(key: bytes, iv: bytes, ciphertext: bytes) -> bytes:
        steps.append(len(key))
        return PLAINTEXT

    monkeypatch.setattr("enclave.kms.envelope._decrypt", decrypt)
    with pytest.raises(KMSRefused):
        broken.open(KEY)
    assert steps == [32]


def test_every_real_sample_parses_and_those_with_a_key_open() -> None:
    opened = 0
    for sample in samples():
        if not sample["kms"]:
            continue
        parsed = RecipientEnvelope.from_bytes(sample["bytes"])
        assert (len(parsed.subject_key_identifier), len(parsed.wrapped_key), len(parsed.iv)) == (32, 256, 16)
        if "rsa_test_key" in sample:
            assert parsed.open(_key(sample["rsa_test_key"])).hex() == sample["plaintext_hex"]
            opened += 1
    assert opened


def test_real_samples_for_other_keys_and_those_of_others_are_refused() -> None:
    for sample in samples():
        with pytest.raises(KMSRefused):
            open_data_key(sample["bytes"], KEY)
        if not sample["kms"]:
            with pytest.raises(KMSRefused):
                RecipientEnvelope.from_bytes(sample["bytes"])


def test_the_envelope_of_another_system_is_refused() -> None:
    """Issuer and serial number, PKCS #1 v1.5, DER: what other software makes of the same standard."""
    name = x509.Name([])
    certificate = (
        x509.CertificateBuilder(name, name, KEY.public_key(), 1)
        .not_valid_before(_EPOCH)
        .not_valid_after(_EPOCH.replace(year=2040))
        .sign(KEY, hashes.SHA256())
    )
    builder = pkcs7.PKCS7EnvelopeBuilder().set_data(PLAINTEXT).add_recipient(certificate)
    envelope = builder.set_content_encryption_algorithm(AES256).encrypt(Encoding.DER, [pkcs7.PKCS7Options.Binary])
    with pytest.raises(KMSRefused):
        RecipientEnvelope.from_bytes(envelope)


REPLACED: dict[str, tuple[str, str]] = {
    "SHA-384 in OAEP": ("a00f300d06096086480165030402010500", "a00f300d06096086480165030402020500"),
    "SHA-512 in MGF1": ("f70d010108300d06096086480165030402010500", "f70d010108300d06096086480165030402030500"),
    "a version below": ("02010231", "02010031"),
    "another recipient version": ("0201028020", "0201008020"),
    "AES-192": ("060960864801650304012a", "0609608648016503040116"),
    "AES-256-GCM": ("060960864801650304012a", "060960864801650304012e"),
    "signed data": ("06092a864886f70d010703", "06092a864886f70d010702"),
    "other content": ("06092a864886f70d010701", "06092a864886f70d010702"),
    "PKCS #1 v1.5": ("06092a864886f70d010107", "06092a864886f70d010101"),
}


@pytest.mark.parametrize("change", REPLACED)
def test_other_algorithms_and_versions_are_refused_before_anything_is_opened(change: str) -> None:
    old, new = (bytes.fromhex(text) for text in REPLACED[change])
    assert ENVELOPE.count(old) == 1
    with pytest.raises(KMSRefused):
        RecipientEnvelope.from_bytes(ENVELOPE.replace(old, new))


ENDS = b"\0\0" * 5
"""Of [0] and EncryptedContentInfo, of EnvelopedData, of [0] and ContentInfo: innermost first."""


@pytest.mark.parametrize("member", ["0500", "0400", "020100", "30800000"])
@pytest.mark.parametrize("depth", range(1, len(ENDS) // 2))
def test_a_member_behind_the_last_is_refused(depth: int, member: str) -> None:
    """asn1crypto lets it pass."""
    assert ENVELOPE.endswith(ENDS)
    at = len(ENVELOPE) - len(ENDS) + 2 * depth
    with pytest.raises(KMSRefused):
        RecipientEnvelope.from_bytes(ENVELOPE[:at] + bytes.fromhex(member) + ENVELOPE[at:])


def test_a_member_behind_the_last_of_the_recipient_is_refused() -> None:
    lengths, longer = bytes.fromhex("3182016b30820167"), bytes.fromhex("3182016d30820169")
    at = ENVELOPE.index(RecipientEnvelope.from_bytes(ENVELOPE).wrapped_key) + 256
    with pytest.raises(KMSRefused):
        RecipientEnvelope.from_bytes(ENVELOPE[:at].replace(lengths, longer) + b"\5\0" + ENVELOPE[at:])


def _key(numbers: dict[str, int | str]) -> rsa.RSAPrivateKey:
    n, d, p, q = (int(str(numbers[name]), 16) for name in "ndpq")
    public = rsa.RSAPublicNumbers(int(numbers["e"]), n)
    crt = rsa.rsa_crt_dmp1(d, p), rsa.rsa_crt_dmq1(d, q), rsa.rsa_crt_iqmp(p, q)
    return rsa.RSAPrivateNumbers(p, q, d, *crt, public).private_key()
