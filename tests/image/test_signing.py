"""Signing: the section's bytes on each curve, images that are there already, and every refusal."""

from __future__ import annotations

import zlib
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from attestation.eif.errors import EIFError, UnsoundEIF
from attestation.eif.layout import SectionType
from strongroom.image.eif import build_eif, sign_eif
from strongroom.image.errors import SigningRefused
from strongroom.image.signing import Signer, check_certificate
from tests.attestation.eif.builder import (
    ALGORITHMS,
    BEFORE_METADATA,
    PCR0,
    SECTIONS,
    Image,
    certificate,
    envelope,
    key,
    payload,
    rsa_key,
    signature,
)
from tests.image.images import read, sources
from tests.image.signers import AT, key_pem, signer

SIGNED = {name: Image().with_sections(signature(name)) for name in ALGORITHMS}
FOREIGN = signature(cose=envelope(signed=payload(bytes(48))))
PEM, KEY = certificate(key("ES384")), key_pem(key("ES384"))
FIRST = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
LAST = datetime(2056, 11, 12, 13, 14, 15, tzinfo=UTC)


def written(folder: Path, image: Image) -> Path:
    path = folder / "x.eif"
    path.write_bytes(image.to_bytes())
    return path


@pytest.mark.parametrize("name", ALGORITHMS)
def test_the_section_byte_for_byte(name: str) -> None:
    """The tests' own builder, which follows the format's description, signs as repeatably."""
    part = signer(name).part(PCR0)
    assert part.section is SectionType.SIGNATURE
    assert part.stream.read() == signature(name).data


@pytest.mark.parametrize("name", ALGORITHMS)
def test_an_unsigned_image_is_signed_in_its_place(name: str, tmp_path: Path) -> None:
    path = written(tmp_path, Image())
    image = sign_eif(path, signer(name))
    assert path.read_bytes() == SIGNED[name].to_bytes()
    assert (image.signature_holds, image.crc_matches, image.pcrs[0]) == (True, True, PCR0)


@pytest.mark.parametrize("name", ALGORITHMS)
def test_an_image_is_built_signed(name: str, tmp_path: Path) -> None:
    image = build_eif(tmp_path / "x.eif", sources(tmp_path), signer(name))
    assert read(tmp_path / "x.eif") == image
    assert (image.signature_holds, image.sections[-1]) == (True, SectionType.SIGNATURE)
    sign_eif(tmp_path / "x.eif", signer(name), tmp_path / "again.eif")
    assert (tmp_path / "again.eif").read_bytes() == (tmp_path / "x.eif").read_bytes()


@pytest.mark.parametrize("before", ALGORITHMS)
@pytest.mark.parametrize("after", ALGORITHMS)
def test_a_signature_is_replaced_whatever_its_length(before: str, after: str, tmp_path: Path) -> None:
    path = written(tmp_path, SIGNED[before])
    image = sign_eif(path, signer(after), tmp_path / "y.eif")
    assert (tmp_path / "y.eif").read_bytes() == SIGNED[after].to_bytes()
    assert path.read_bytes() == SIGNED[before].to_bytes()
    assert image.header.slots[-1].data_bytes == len(signature(after).data)


def test_a_signature_between_other_sections_moves_to_the_end(tmp_path: Path) -> None:
    path = written(tmp_path, Image([*SECTIONS[:2], signature("ES256"), *SECTIONS[2:]]))
    sign_eif(path, signer())
    assert path.read_bytes() == SIGNED["ES384"].to_bytes()


def test_what_the_header_says_else_is_kept(tmp_path: Path) -> None:
    path = written(tmp_path, Image(flags=1))
    data = bytearray(path.read_bytes())
    data[8:24] = bytes(range(16))
    data[544:548] = zlib.crc32(data[:544] + data[548:]).to_bytes(4, "big")
    path.write_bytes(data)
    image = sign_eif(path, signer())
    assert path.read_bytes()[:24] == data[:24]
    assert (image.signature_holds, image.architecture) == (True, "aarch64")


def test_version_3_has_signatures_and_version_2_none(tmp_path: Path) -> None:
    path = written(tmp_path, Image(BEFORE_METADATA, version=3))
    assert sign_eif(path, signer()).version == 3
    path = written(tmp_path, Image(BEFORE_METADATA, version=2))
    with pytest.raises(EIFError, match="no signature in version 2"):
        sign_eif(path, signer())
    assert path.read_bytes() == Image(BEFORE_METADATA, version=2).to_bytes()


def test_no_place_for_a_33rd_section(tmp_path: Path) -> None:
    path = written(tmp_path, Image().with_sections(*[SECTIONS[3]] * 27))
    with pytest.raises(EIFError, match="2 to 32 sections, got 33"):
        sign_eif(path, signer())


@pytest.mark.parametrize(
    ("image", "error", "words"),
    [
        pytest.param(Image(crc32=0), UnsoundEIF, "the file is damaged", id="CRC"),
        pytest.param(Image().with_sections(FOREIGN), UnsoundEIF, "does not hold", id="signature"),
        pytest.param(Image(tail=b"x"), EIFError, "the end of the file", id="structure"),
        pytest.param(Image(SECTIONS[:3]), EIFError, "a ramdisk", id="sections"),
    ],
)
def test_what_is_not_sound_is_not_signed(image: Image, error: type[Exception], words: str, tmp_path: Path) -> None:
    path = written(tmp_path, image)
    with pytest.raises(error, match=words):
        sign_eif(path, signer())
    assert [each.read_bytes() for each in tmp_path.iterdir()] == [image.to_bytes()]


@pytest.mark.parametrize(
    ("pem", "private_key", "words"),
    [
        pytest.param(PEM, key_pem(key("ES256")), "expected the certificate's, got another", id="another curve"),
        pytest.param(
            PEM, key_pem(ec.derive_private_key(1, ec.SECP384R1())), "the certificate's, got another", id="another key"
        ),
        pytest.param(PEM, key_pem(rsa_key()), "an EC key, got another kind", id="RSA key"),
        pytest.param(certificate(rsa_key()), key_pem(rsa_key()), "an EC key, got another kind", id="RSA"),
        pytest.param(certificate(rsa_key()), KEY, "a certificate with an EC key", id="RSA certificate"),
        pytest.param(PEM, key_pem(key("ES384"), b"secret"), "without a passphrase, got an encrypted", id="encrypted"),
        pytest.param(PEM, b"", "an EC key in PEM, got something else", id="no key"),
        pytest.param(PEM, PEM, "an EC key in PEM, got something else", id="certificate as key"),
        pytest.param(PEM, KEY[:80], "an EC key in PEM, got something else", id="cut key"),
        pytest.param(b"", KEY, "begins with a certificate", id="no certificate"),
        pytest.param(KEY, KEY, "got a private key: the image would publish it", id="key as certificate"),
        pytest.param(PEM + KEY, KEY, "got a private key: the image would publish it", id="key beside certificate"),
        pytest.param(PEM[:90], KEY, "begins with a certificate", id="cut certificate"),
        pytest.param(PEM.replace(b"\nM", b"\n*M", 1), KEY, "one X.509 certificate", id="no X.509"),
    ],
)
def test_refused(pem: bytes, private_key: bytes, words: str) -> None:
    with pytest.raises(SigningRefused, match=words) as caught:
        Signer.from_pem(pem, private_key, AT)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("curve", [ec.SECP256K1(), ec.BrainpoolP256R1(), ec.SECP224R1()], ids=lambda curve: curve.name)
def test_other_curves(curve: ec.EllipticCurve) -> None:
    other = ec.derive_private_key(0x5EED, curve)
    with pytest.raises(SigningRefused, match=f"P-256, P-384 or P-521, got one on {curve.name}"):
        Signer.from_pem(certificate(other), key_pem(other), AT)


@pytest.mark.parametrize("at", [FIRST.replace(second=4), LAST.replace(second=16)], ids=["too early", "too late"])
def test_a_certificate_that_is_not_valid_now(at: datetime) -> None:
    with pytest.raises(SigningRefused, match="valid from Jan  2 03:04:05 2026 GMT to Nov 12 13:14:15 2056 GMT"):
        Signer.from_pem(PEM, KEY, at)


@pytest.mark.parametrize("at", [FIRST, LAST], ids=["first", "last"])
def test_both_edges_of_the_window_belong_to_it(at: datetime) -> None:
    assert Signer.from_pem(PEM, KEY, at).algorithm.name == "ES384"


def test_a_certificate_whose_key_is_elsewhere() -> None:
    assert check_certificate(PEM, AT).key == key("ES384").public_key()
    for pem, at, words in (
        (PEM, FIRST.replace(year=2025), "valid now"),
        (certificate(rsa_key()), AT, "an EC key"),
        (certificate(ec.derive_private_key(0x5EED, ec.SECP256K1())), AT, "P-256, P-384 or P-521"),
    ):
        with pytest.raises(SigningRefused, match=words):
            check_certificate(pem, at)


def test_a_key_as_openssl_ecparam_writes_it() -> None:
    parameters = b"-----BEGIN EC PARAMETERS-----\nBgUrgQQAIg==\n-----END EC PARAMETERS-----\n"
    sec1 = key("ES384").private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    assert Signer.from_pem(PEM, parameters + sec1, AT).part(PCR0).stream.read() == signature("ES384").data


def test_a_chain_is_signed_under_its_first_certificate(tmp_path: Path) -> None:
    chain = PEM + certificate(key("ES256"))
    image = sign_eif(written(tmp_path, Image()), Signer.from_pem(chain, KEY, AT))
    assert image.signature_holds
    assert image.pcrs[8] == read(written(tmp_path, SIGNED["ES384"])).pcrs[8]


def test_neither_key_nor_certificate_shows() -> None:
    assert "PrivateKey" not in repr(signer())
    assert "BEGIN" not in repr(signer())
