"""CiphertextForRecipient: what KMS really sends opens, everything near it is one and the same error."""

import json

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from enclave.errors import KMSRefused
from enclave.kms.envelope import open_for_recipient
from strongroom.simulator.cms import ciphertext_for_recipient
from tests.corpus import corpus
from tests.simulator.helpers import spki

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PLAINTEXT = b"d" * 32
ENVELOPE = ciphertext_for_recipient(PLAINTEXT, spki(KEY))


@pytest.mark.parametrize("size", [1, 15, 16, 32, 4096])
def test_an_envelope_opens(size: int) -> None:
    assert open_for_recipient(ciphertext_for_recipient(b"x" * size, spki(KEY)), KEY) == b"x" * size


def test_every_failure_is_the_same_error() -> None:
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    cases = [b"", b"x", b"\x30\x80", ENVELOPE[:-1], ENVELOPE + b"x", ENVELOPE * 100]
    for position in range(0, len(ENVELOPE), 3):
        altered = bytearray(ENVELOPE)
        altered[position] ^= 0x41
        cases.append(bytes(altered))
    messages = set()
    for case in cases:
        try:
            assert open_for_recipient(case, KEY) != PLAINTEXT, (
                "an altered envelope may decrypt, but not to the same key"
            )
        except KMSRefused as refused:
            messages.add((refused.code, str(refused)))
    with pytest.raises(KMSRefused) as caught:
        open_for_recipient(ENVELOPE, other)
    assert messages == {(caught.value.code, str(caught.value))}


def test_the_real_sample_with_a_key_opens() -> None:
    folder = corpus("cms")
    opened = 0
    for sample in json.loads((folder / "manifest.json").read_text()):
        if "rsa_test_key" in sample:
            assert (
                open_for_recipient((folder / sample["file"]).read_bytes(), _key(sample["rsa_test_key"])).hex()
                == sample["plaintext_hex"]
            )
            opened += 1
    assert opened


def test_real_samples_for_other_keys_are_refused() -> None:
    for path in sorted(corpus("cms").glob("*.ber")):
        with pytest.raises(KMSRefused):
            open_for_recipient(path.read_bytes(), KEY)


def _key(numbers: dict[str, int | str]) -> rsa.RSAPrivateKey:
    n, d, p, q = (int(str(numbers[name]), 16) for name in "ndpq")
    public = rsa.RSAPublicNumbers(int(numbers["e"]), n)
    crt = rsa.rsa_crt_dmp1(d, p), rsa.rsa_crt_dmq1(d, q), rsa.rsa_crt_iqmp(p, q)
    return rsa.RSAPrivateNumbers(p, q, d, *crt, public).private_key()
