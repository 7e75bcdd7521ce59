"""The signature section: three curves, what holds, what does not, and what is no signature section at all."""

from __future__ import annotations

import base64

import cbor2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from tests.attestation.eif.builder import (
    ALGORITHMS,
    PCR0,
    Image,
    Section,
    certificate,
    envelope,
    key,
    payload,
    pcr,
    rsa_key,
    signature,
    signature_data,
)
from tests.attestation.eif.judge import read, refuse

PEM = certificate(key("ES384"))
DER = x509.load_pem_x509_certificate(PEM).public_bytes(Encoding.DER)
PROTECTED, _, PAYLOAD, SIGNATURE = cbor2.loads(envelope())
SECTION_AT = len(Image().to_bytes()) + 12
DATA = signature_data(envelope(), PEM)


def signed(cose: bytes | None = None, pem: bytes = PEM, name: str = "ES384") -> Image:
    return Image().with_sections(signature(name, cose, pem))


def raw(data: bytes) -> Image:
    return Image().with_sections(Section(4, data))


def cose(
    *, protected: object = PROTECTED, header: object = None, body: object = PAYLOAD, sig: object = SIGNATURE
) -> bytes:
    return cbor2.dumps([protected, {} if header is None else header, body, sig])


@pytest.mark.parametrize("name", ALGORITHMS)
def test_holds_on_each_curve(name: str) -> None:
    eif = read(Image().with_sections(signature(name)))
    assert eif.signature_holds
    assert eif.crc_matches


def test_an_unsigned_image_has_no_opinion() -> None:
    assert read(Image()).signature_holds is None


@pytest.mark.parametrize(
    "cose",
    [
        pytest.param(envelope(signed=payload(pcr(b"another image"))), id="another PCR0"),
        pytest.param(envelope(signed=payload(index=1)), id="another register"),
        pytest.param(envelope(signed=payload(PCR0[:47])), id="a short register"),
        pytest.param(envelope(signed=b""), id="empty payload"),
        pytest.param(envelope(signed=cbor2.dumps({"register_index": 0, "register_value": PCR0})), id="a byte string"),
        pytest.param(
            envelope(signed=cbor2.dumps({"register_value": list(PCR0), "register_index": 0})), id="another key order"
        ),
        pytest.param(envelope(signed=payload() + b"\0"), id="a longer payload"),
        pytest.param(cose(sig=bytes(96)), id="zeros"),
        pytest.param(cose(sig=b"\xff" * 96), id="numbers beyond the order"),
        pytest.param(cose(sig=SIGNATURE[48:] + SIGNATURE[:48]), id="r and s swapped"),
        pytest.param(cose(sig=SIGNATURE[:-1] + bytes([SIGNATURE[-1] ^ 1])), id="a flipped bit"),
        pytest.param(envelope("ES256"), id="another key and curve"),
        pytest.param(envelope("ES512", signer="ES384"), id="ES512 with P-384"),
        pytest.param(envelope("ES256", signer="ES384"), id="ES256 with P-384"),
    ],
)
def test_what_does_not_hold_is_a_finding(cose: bytes) -> None:
    assert read(signed(cose)).signature_holds is False


def test_another_certificate_does_not_hold() -> None:
    assert read(signed(pem=certificate(ec.generate_private_key(ec.SECP384R1())))).signature_holds is False


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param(b"", "signing_certificate", id="empty"),
        pytest.param(cbor2.dumps([]), "signing_certificate", id="no signature"),
        pytest.param(cbor2.dumps([{"signing_certificate": [], "signature": []}] * 2), "", id="two"),
        pytest.param(
            cbor2.dumps([{"signature": [], "signing_certificate": []}]), "signing_certificate", id="key order"
        ),
        pytest.param(cbor2.dumps([{"signing_certificate": PEM, "signature": []}]), "array of bytes", id="byte string"),
        pytest.param(cbor2.dumps([{"signing_certificate": [256], "signature": []}]), "0 to 255", id="256"),
        pytest.param(cbor2.dumps([{"signing_certificate": [-1], "signature": []}]), "0 to 255", id="-1"),
        pytest.param(cbor2.dumps([{"signing_certificate": ["x"], "signature": []}]), "0 to 255", id="text"),
        pytest.param(DATA + b"\0", "no more bytes", id="trailing byte"),
        pytest.param(b"\xd9\xd9\xf7" + DATA, "signing_certificate", id="tag"),
        pytest.param(b"\x9f" + DATA[1:] + b"\xff", "signing_certificate", id="indefinite"),
        pytest.param(
            DATA.replace(b"certificate\x99", b"certificate\x9a\0\0"),
            "minimal",
            id="long head",
        ),
        pytest.param(b"\x81\xa2\x73signing_certificate\x81\x18\x05", "minimal", id="non-minimal byte"),
        pytest.param(b"\x81\xa2\x73signing_certificate\x9b" + b"\x7f" * 8, "that remain", id="2^63 bytes promised"),
        pytest.param(b"\x81\xa2\x73signing_certificate\x9f", "definite", id="indefinite array"),
        *(pytest.param(DATA[:n], "", id=f"cut at {n}") for n in (1, 2, 21, 22, 23, 24, 25, 100, len(DATA) - 1)),
    ],
)
def test_refuses_another_section(data: bytes, expected: str) -> None:
    assert refuse(raw(data), expected).offset >= SECTION_AT


@pytest.mark.parametrize(
    ("cose", "expected"),
    [
        pytest.param(b"\xd2" + envelope(), "untagged", id="tag 18"),
        pytest.param(b"\x85" + envelope()[1:] + b"\x00", "untagged", id="array of 5"),
        pytest.param(envelope() + b"\0", "no more bytes", id="trailing byte"),
        pytest.param(envelope()[:-1], "that remain", id="cut"),
        pytest.param(cose(protected=cbor2.dumps({1: -37})), "protected header", id="PS256"),
        pytest.param(cose(protected=b""), "protected header", id="no algorithm"),
        pytest.param(cose(protected=cbor2.dumps({1: -35, 4: b"kid"})), "protected header", id="kid"),
        pytest.param(cose(protected="text"), "a byte string", id="text"),
        pytest.param(cose(header={1: -35}), "empty unprotected", id="unprotected"),
        pytest.param(cose(body=None), "a byte string", id="detached"),
        pytest.param(cose(sig=SIGNATURE[:-1]), "96 bytes", id="95 bytes"),
        pytest.param(cose(sig=SIGNATURE + b"\0"), "96 bytes", id="97 bytes"),
        pytest.param(cose(sig=b""), "96 bytes", id="no signature"),
        pytest.param(cose(protected=cbor2.dumps({1: -7})), "64 bytes", id="ES256 with 96 bytes"),
    ],
)
def test_refuses_another_envelope(cose: bytes, expected: str) -> None:
    refuse(signed(cose), expected, SECTION_AT if "bytes" in expected and "more" not in expected else None)


@pytest.mark.parametrize(
    "pem",
    [
        pytest.param(b"Subject: signer\n" + PEM, id="text before"),
        pytest.param(PEM + certificate(key("ES256")), id="a second certificate"),
        pytest.param(PEM.replace(b"\n", b"\r\n"), id="CRLF"),
        pytest.param(PEM.rstrip(), id="no last newline"),
    ],
)
def test_the_first_certificate_is_the_one(pem: bytes) -> None:
    eif = read(signed(pem=pem))
    assert eif.signature_holds
    assert eif.pcrs[8] == pcr(DER)


@pytest.mark.parametrize(
    ("pem", "expected"),
    [
        pytest.param(b"\0", "begins with a certificate", id="no PEM"),
        pytest.param(DER, "begins with a certificate", id="DER"),
        pytest.param(PEM[:-5], "begins with a certificate", id="cut"),
        pytest.param(b"x" + PEM, "begins with a certificate", id="not at a line's start"),
        pytest.param(
            PEM.replace(b"CERTIFICATE", b"EC PARAMETERS") + PEM, "begins with a certificate", id="another block"
        ),
        pytest.param(PEM.replace(b"M", b"-----BEGIN CERTIFICATE-----\nM", 1), "X.509", id="a block in a block"),
        pytest.param(PEM.replace(b"\nM", b"\nProc-Type: 4,ENCRYPTED\n\nM", 1), "X.509", id="a header"),
        pytest.param(PEM.replace(b"\nM", b"\n*M", 1), "X.509", id="not base64"),
        pytest.param(PEM.replace(b"\nM", b"\nAAAAM", 1), "X.509", id="no certificate"),
        pytest.param(certificate(rsa_key()), "an EC key", id="RSA"),
    ],
)
def test_refuses_another_certificate(pem: bytes, expected: str) -> None:
    refuse(signed(pem=pem), expected, SECTION_AT)


@pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")
@pytest.mark.parametrize("serial_number", [b"\x02\x01\x00", b"\x02\x01\xff"])
def test_refuses_a_serial_number_that_is_not_positive(serial_number: bytes) -> None:
    refuse(signed(pem=pem_of(DER.replace(b"\x02\x01\x07", serial_number, 1))), "positive serial number", SECTION_AT)


def test_refuses_a_name_of_a_type_that_the_library_does_not_expect() -> None:
    common_name, bit_string = b"\x06\x03\x55\x04\x03\x0c", b"\x06\x03\x55\x04\x03\x03"
    assert common_name in DER
    refuse(signed(pem=pem_of(DER.replace(common_name, bit_string))), "X.509", SECTION_AT)


def pem_of(der: bytes) -> bytes:
    return b"-----BEGIN CERTIFICATE-----\n" + base64.encodebytes(der) + b"-----END CERTIFICATE-----\n"
