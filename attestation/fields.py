"""The fields of a document's payload, each read by its own rule (rules 11 to 19)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

from attestation.errors import Rejected, RejectionCode

Kind = Literal["enclave", "nitrotpm"]

MAX_FIELD_BYTES = 1024
MAX_CABUNDLE_ENTRIES = 8
PCR_BYTES = 48

_REQUIRED = ("module_id", "digest", "timestamp", "certificate", "cabundle")
_OPTIONAL = ("public_key", "user_data", "nonce")
_PCRS: dict[str, tuple[Kind, int]] = {"pcrs": ("enclave", 32), "nitrotpm_pcrs": ("nitrotpm", 24)}
_MODULE_ID = {
    "enclave": re.compile(r"i-[0-9a-f]+-enc[0-9a-f]+"),
    "nitrotpm": re.compile(r"i-[0-9a-f]+-tpm[0-9a-f]+"),
}
_MAX_MODULE_ID = 256
_MAX_PCRS = 32


def named(payload: object) -> dict[str, object]:
    """The payload as a map that has every required field and no unknown one."""
    if not isinstance(payload, dict):
        raise Rejected(RejectionCode.PAYLOAD_NOT_A_MAP, "a map", type(payload).__name__)
    known = {*_REQUIRED, *_OPTIONAL, *_PCRS}
    if unknown := [key for key in payload if key not in known]:
        raise Rejected(RejectionCode.UNKNOWN_FIELD, "known fields only", f"{len(unknown)} others")
    if missing := [key for key in _REQUIRED if payload.get(key) is None]:
        raise Rejected(RejectionCode.MISSING_FIELD, "all required fields", f"none of {', '.join(missing)}")
    return payload


def kind_and_pcrs(payload: dict[str, object]) -> tuple[Kind, Mapping[int, bytes]]:
    """Which of the two PCR maps is there, and its values of 48 bytes by index."""
    present = [key for key in _PCRS if payload.get(key) is not None]
    if not present:
        raise Rejected(RejectionCode.MISSING_FIELD, "pcrs or nitrotpm_pcrs", "neither")
    if len([key for key in _PCRS if key in payload]) > 1:
        raise Rejected(RejectionCode.BOTH_KINDS, "pcrs or nitrotpm_pcrs", "both")
    kind, limit = _PCRS[present[0]]
    pcrs = payload[present[0]]
    if not isinstance(pcrs, dict) or not 1 <= len(pcrs) <= _MAX_PCRS:
        raise Rejected(RejectionCode.PCRS, f"a map of 1 to {_MAX_PCRS} PCRs", _length_of(pcrs))
    for index, value in pcrs.items():
        if type(index) is not int or not 0 <= index < limit:
            raise Rejected(RejectionCode.PCRS, f"indices 0 to {limit - 1}", "another key")
        if not isinstance(value, bytes) or len(value) != PCR_BYTES:
            raise Rejected(RejectionCode.PCRS, f"{PCR_BYTES} bytes at index {index}", _length_of(value))
    return kind, MappingProxyType(pcrs)


def module_id(value: object, kind: Kind) -> str:
    """``i-<hex>-enc<hex>`` of an enclave, ``i-<hex>-tpm<hex>`` of an instance."""
    pattern = _MODULE_ID[kind]
    if not isinstance(value, str) or len(value) > _MAX_MODULE_ID or not pattern.fullmatch(value):
        raise Rejected(RejectionCode.MODULE_ID, f"text like {pattern.pattern}", _length_of(value))
    return value


def digest(value: object) -> str:
    """The name of the PCRs' hash, always SHA384."""
    if value != "SHA384":
        raise Rejected(RejectionCode.DIGEST, '"SHA384"', _length_of(value))
    return "SHA384"


def timestamp_ms(value: object) -> int:
    """Milliseconds since the epoch, 0 < t < 2^63."""
    if type(value) is not int or not 0 < value < 1 << 63:
        raise Rejected(RejectionCode.TIMESTAMP, "milliseconds, 0 < t < 2^63", f"another {type(value).__name__}")
    return value


def certificate(value: object) -> bytes:
    """The leaf's DER, 1 to 1,024 bytes."""
    return _bounded(value, 1, RejectionCode.CERTIFICATE)


def cabundle(value: object) -> tuple[bytes, ...]:
    """1 to 8 certificates in DER, the root first."""
    if not isinstance(value, list | tuple) or not 1 <= len(value) <= MAX_CABUNDLE_ENTRIES:
        raise Rejected(RejectionCode.CABUNDLE, f"an array of 1 to {MAX_CABUNDLE_ENTRIES}", _length_of(value))
    return tuple(_bounded(entry, 1, RejectionCode.CABUNDLE) for entry in value)


def optional(value: object) -> bytes | None:
    """A field that the enclave may leave out: absent and null both mean not given; 0 to 1,024 bytes."""
    return None if value is None else _bounded(value, 0, RejectionCode.OPTIONAL_FIELD)


def _bounded(value: object, min_bytes: int, code: RejectionCode) -> bytes:
    if not isinstance(value, bytes) or not min_bytes <= len(value) <= MAX_FIELD_BYTES:
        raise Rejected(code, f"{min_bytes} to {MAX_FIELD_BYTES} bytes", _length_of(value))
    return value


def _length_of(value: object) -> str:
    length = f" of length {len(value)}" if isinstance(value, str | bytes | list | tuple | dict) else ""
    return f"{type(value).__name__}{length}"
