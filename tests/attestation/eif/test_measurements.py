"""Measurements: which data go into which register, and a vector that other code made."""

from __future__ import annotations

from dataclasses import replace

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from attestation.measurements import EMPTY_APPLICATION_PCR2
from tests.attestation.eif.builder import PCR0, SECTIONS, Image, Section, certificate, key, metadata, pcr, signature
from tests.attestation.eif.judge import read
from tests.corpus import corpus

K, C, M, R0, R1 = SECTIONS
VECTOR = (
    "1b2167788fd88d39dd2f0c95167bda1530fd698d9a55205f97f04648c9544d4744b54a3e8cb301170d955a287c50881e",
    "da6e858b8151001c138c6101edfe61c8f0c6d181f04ac95b38535d76295048ec7518279e54befa0e8dd45f26a6498350",
    "3e1a5902269db6c8fc964a35d9afd0c556c444c2b53012011afd9d9a4790f82dd84b933f92bb8cca89a709a45eb32da0",
)

OTHER_IDENTITY: dict[str, object] = {
    "ImageName": "another",
    "ImageVersion": "0",
    "BuildMetadata": dict.fromkeys(
        ("BuildTime", "BuildTool", "BuildToolVersion", "OperatingSystem", "KernelVersion"), ""
    ),
    "DockerInfo": None,
    "CustomMetadata": None,
}


def test_the_vector() -> None:
    with (corpus("eif") / "vector.eif").open("rb") as stream:
        eif = read(stream.read())
    assert {index: value.hex() for index, value in eif.pcrs.items()} == dict(enumerate(VECTOR))
    assert eif.crc_matches


def test_registers() -> None:
    assert read(Image()).pcrs == {
        0: PCR0,
        1: pcr(K.data, C.data, R0.data),
        2: pcr(R1.data),
    }


def test_file_order_counts() -> None:
    eif = read(Image([C, K, R0, M, R1, Section(3, b"ramdisk 2")]))
    assert eif.pcrs == {
        0: pcr(C.data, K.data, R0.data, R1.data, b"ramdisk 2"),
        1: pcr(C.data, K.data, R0.data),
        2: pcr(R1.data, b"ramdisk 2"),
    }


def test_one_ramdisk_measures_no_application() -> None:
    assert read(Image([K, C, M, R0])).pcrs[2] == EMPTY_APPLICATION_PCR2


def test_a_late_cmdline_is_no_application() -> None:
    eif = read(Image([K, M, R0, R1, C]))
    assert (eif.pcrs[1], eif.pcrs[2]) == (pcr(K.data, R0.data, C.data), pcr(R1.data))


def test_header_metadata_and_signature_are_not_measured() -> None:
    other = Image([K, C, R0, R1, metadata(OTHER_IDENTITY), signature()], flags=1)
    eif = read(replace(other, crc32=0))
    assert {index: eif.pcrs[index] for index in (0, 1, 2)} == read(Image()).pcrs


def test_pcr8_measures_the_certificate_s_der() -> None:
    pem = certificate(key("ES384"))
    der = x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER)
    assert read(Image().with_sections(signature(pem=pem))).pcrs[8] == pcr(der)
