"""What `nitro-cli describe-eif` prints, with the same keys in the same order (aws-nitro-enclaves-cli 1.5.0)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

import msgspec

from attestation.eif.certificate import SigningCertificate
from attestation.eif.metadata import Metadata
from attestation.eif.reader import EIF
from attestation.eif.source import Progress

_HASH_ALGORITHM = "Sha384 { ... }"  # Rust's debug format of its hash, letter for letter


def describe(stream: BinaryIO, progress: Progress | None = None) -> dict[str, object]:
    """Read an EIF and describe it, ready for JSON. Raises as ``EIF.from_stream`` does.

    A bad CRC and a signature that does not hold are described as ``"CheckCRC": false`` and ``"SignatureCheck": false``.
    """
    return describe_eif(EIF.from_stream(stream, progress))


def describe_eif(eif: EIF) -> dict[str, object]:
    """The description of an EIF that was read before."""
    return dict(_members(eif))


def measurements(eif: EIF) -> dict[str, str]:
    """The member ``Measurements``, which `nitro-cli build-enclave` prints too."""
    return {"HashAlgorithm": _HASH_ALGORITHM, **{f"PCR{index}": value.hex() for index, value in eif.pcrs.items()}}


def _members(eif: EIF) -> Iterator[tuple[str, object]]:
    yield "EifVersion", eif.version
    yield "Measurements", measurements(eif)
    yield "IsSigned", eif.signature is not None
    if eif.signature is not None:
        yield "SigningCertificate", _certificate(eif.signature.certificate)
    yield "CheckCRC", eif.crc_matches
    if eif.signature is not None:
        yield "SignatureCheck", eif.signature_holds
    if eif.metadata is not None:
        yield "ImageName", eif.metadata.image_name
        yield "ImageVersion", eif.metadata.image_version
        yield "Metadata", _metadata(eif.metadata)


def _certificate(certificate: SigningCertificate) -> dict[str, object]:
    return {
        "IssuerName": dict(certificate.issuer_name),
        "Algorithm": certificate.algorithm,
        "NotBefore": certificate.not_before,
        "NotAfter": certificate.not_after,
        "Signature": certificate.signature,
    }


def _metadata(metadata: Metadata) -> dict[str, object]:
    """Custom members follow the format's own; one of a name that is taken stands for nothing."""
    custom = metadata.custom_metadata if isinstance(metadata.custom_metadata, dict) else {}
    own: dict[str, object] = {**msgspec.to_builtins(metadata.build_metadata), "DockerInfo": metadata.docker_info}
    return own | {key: value for key, value in custom.items() if key not in own}
