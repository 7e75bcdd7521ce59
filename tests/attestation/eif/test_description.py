"""The description: nitro-cli's keys in nitro-cli's order, and its texts for a certificate."""

from __future__ import annotations

import json
from io import BytesIO

import pytest
from cryptography import x509

from attestation.eif.description import describe
from tests.attestation.eif.builder import (
    BEFORE_METADATA,
    IDENTITY,
    Image,
    certificate,
    envelope,
    key,
    metadata,
    payload,
    pcr,
    signature,
)

BUILD_KEYS = ["BuildTime", "BuildTool", "BuildToolVersion", "OperatingSystem", "KernelVersion", "DockerInfo"]


def described(image: Image) -> dict[str, object]:
    description = describe(BytesIO(image.to_bytes()))
    assert json.loads(json.dumps(description)) == description
    return description


def member(description: dict[str, object], name: str) -> dict[str, object]:
    value = description[name]
    assert isinstance(value, dict)
    return value


def test_unsigned() -> None:
    description = described(Image())
    assert list(description) == [
        "EifVersion",
        "Measurements",
        "IsSigned",
        "CheckCRC",
        "ImageName",
        "ImageVersion",
        "Metadata",
    ]
    measurements = member(description, "Measurements")
    assert list(measurements) == ["HashAlgorithm", "PCR0", "PCR1", "PCR2"]
    assert measurements["HashAlgorithm"] == "Sha384 { ... }"
    assert measurements["PCR2"] == pcr(b"ramdisk 1").hex()
    assert (description["EifVersion"], description["IsSigned"], description["CheckCRC"]) == (4, False, True)


def test_signed() -> None:
    description = described(Image().with_sections(signature()))
    assert list(description) == [
        "EifVersion",
        "Measurements",
        "IsSigned",
        "SigningCertificate",
        "CheckCRC",
        "SignatureCheck",
        "ImageName",
        "ImageVersion",
        "Metadata",
    ]
    assert list(member(description, "Measurements")) == ["HashAlgorithm", "PCR0", "PCR1", "PCR2", "PCR8"]
    assert (description["IsSigned"], description["SignatureCheck"]) == (True, True)


def test_version_3_has_no_metadata() -> None:
    description = described(Image(BEFORE_METADATA, version=3))
    assert list(description) == ["EifVersion", "Measurements", "IsSigned", "CheckCRC"]
    assert description["EifVersion"] == 3


def test_findings() -> None:
    cose = envelope(signed=payload(pcr(b"another")))
    description = described(Image((*Image().sections, signature(cose=cose)), crc32=0))
    assert (description["CheckCRC"], description["SignatureCheck"]) == (False, False)


def test_a_certificate_reads_as_openssl_prints_it() -> None:
    """Compared once with `openssl x509 -nameopt lname -startdate -enddate` on a certificate of the same fields."""
    pem = certificate(key("ES384"))
    found = member(described(Image().with_sections(signature(pem=pem))), "SigningCertificate")
    assert list(found) == ["IssuerName", "Algorithm", "NotBefore", "NotAfter", "Signature"]
    issuer = found["IssuerName"]
    assert isinstance(issuer, dict)
    assert list(issuer.items()) == [
        ("1.2.3.4", "other"),
        ("commonName", r"sign \er\\\\n"),
        ("countryName", "DE"),
    ]
    assert found["Algorithm"] == "ecdsa-with-SHA384"
    assert (found["NotBefore"], found["NotAfter"]) == ("Jan  2 03:04:05 2026 GMT", "Nov 12 13:14:15 2056 GMT")
    expected = x509.load_pem_x509_certificate(pem).signature
    assert found["Signature"] == ":".join(f"{byte:02X}" for byte in expected)


@pytest.mark.parametrize(
    ("custom", "expected"),
    [
        ({"b": 1, "a": {"d": 1, "c": 2}}, ["a", "b"]),
        (None, []),
        ([1], []),
        ("text", []),
        ({"BuildTime": "never", "DockerInfo": 1, "z": 1}, ["z"]),
    ],
)
def test_custom_metadata_is_flattened_in(custom: object, expected: list[str]) -> None:
    found = member(described(Image((*BEFORE_METADATA, metadata({**IDENTITY, "CustomMetadata": custom})))), "Metadata")
    assert list(found) == [*BUILD_KEYS, *expected]
    assert found["BuildTime"] == "2026-01-01T00:00:00+00:00"
    assert found["DockerInfo"] == {"Id": "sha256:00", "Architecture": "amd64"}
