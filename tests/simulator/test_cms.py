"""CiphertextForRecipient against captured answers of KMS: the same structure, octet by octet where it is fixed."""

import json
import os

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from strongroom.simulator.cms import ciphertext_for_recipient
from tests.corpus import corpus
from tests.simulator.helpers import open_cms, spki

Shape = list[tuple[int, int | None, bytes]]


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def shape(encoded: bytes) -> Shape:
    """Every BER head in order: tag, length (None if indefinite), and short fixed contents."""
    heads: Shape = []
    at = 0
    while at < len(encoded):
        tag, first = encoded[at], encoded[at + 1]
        at += 2
        if first == 0x80 and tag & 0x20:
            heads.append((tag, None, b""))
            continue
        length = first
        if first > 0x80:
            length = int.from_bytes(encoded[at : at + first - 0x80])
            at += first - 0x80
        content = encoded[at : at + length]
        heads.append((tag, length, content if tag in (0x02, 0x06) else b""))
        at += 0 if tag & 0x20 else length
    return heads


@pytest.mark.parametrize("der", [b"", b"not DER"])
def test_a_key_that_is_none_is_refused(der: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the message is OpenSSL's
        ciphertext_for_recipient(b"x", der)


def test_a_key_that_is_not_rsa_is_refused() -> None:
    der = (
        ec.generate_private_key(ec.SECP256R1())
        .public_key()
        .public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    with pytest.raises(ValueError, match="RSA"):
        ciphertext_for_recipient(b"x", der)


def test_the_structure_is_that_of_a_captured_answer(key: rsa.RSAPrivateKey) -> None:
    captured = (corpus("cms") / "01.ber").read_bytes()
    ours = ciphertext_for_recipient(bytes(32), spki(key))
    assert shape(ours) == shape(captured)
    assert len(ours) == len(captured) == 493
    # Everything before the identifier and between it and the encrypted key is the same in every answer.
    assert ours[:33] == captured[:33]
    assert ours[65:131] == captured[65:131]


def test_the_tests_own_reader_opens_a_captured_answer() -> None:
    [sample] = [item for item in json.loads((corpus("cms") / "manifest.json").read_text()) if "rsa_test_key" in item]
    numbers = {name: int(str(value), 0) for name, value in sample["rsa_test_key"].items()}
    p, q, d = numbers["p"], numbers["q"], numbers["d"]
    private = rsa.RSAPrivateNumbers(
        p, q, d, d % (p - 1), d % (q - 1), pow(q, -1, p), rsa.RSAPublicNumbers(numbers["e"], numbers["n"])
    ).private_key()
    assert open_cms((corpus("cms") / sample["file"]).read_bytes(), private).hex() == sample["plaintext_hex"]


def test_short_content_is_a_chunk_too(key: rsa.RSAPrivateKey) -> None:
    """KMS has been seen to write one block both ways; AWS's own C client reads it in a chunk only."""
    captured = (corpus("cms") / "04.ber").read_bytes()
    ours = ciphertext_for_recipient(b"Hello, World", spki(key))
    assert shape(ours) == shape(captured)


@pytest.mark.parametrize("length", [1, 15, 16, 32, 999, 1000, 4096])
def test_what_was_sealed_opens(length: int, key: rsa.RSAPrivateKey) -> None:
    plaintext = os.urandom(length)
    assert open_cms(ciphertext_for_recipient(plaintext, spki(key)), key) == plaintext


def test_long_content_comes_in_chunks_of_a_thousand(key: rsa.RSAPrivateKey) -> None:
    heads = shape(ciphertext_for_recipient(bytes(4096), spki(key)))
    assert [length for tag, length, _ in heads if tag == 0x04][-5:] == [1000, 1000, 1000, 1000, 112]


def test_nothing_repeats(key: rsa.RSAPrivateKey) -> None:
    one, other = (ciphertext_for_recipient(bytes(32), spki(key)) for _ in range(2))
    assert one[135:391] != other[135:391]
    assert one[-60:] != other[-60:]
