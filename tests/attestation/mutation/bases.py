"""The sound documents that mutations begin with: the forge's, and the corpus's."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cbor2

from attestation.anchors import SimulatedTrustAnchor
from tests.attestation import forge
from tests.attestation.mutation import chains, questions
from tests.attestation.mutation.field_mutations import Fields

ENCLAVE, NITROTPM = "enclave", "nitrotpm"
MODULE_IDS = {ENCLAVE: forge.MODULE_ID, NITROTPM: forge.TPM_MODULE_ID}


@dataclass(frozen=True)
class Base:
    """A sound document, its payload, and the kind that it is."""

    data: bytes
    payload: bytes
    kind: str


def certificates(kind: str) -> list[bytes]:
    """The sound chain of one kind, root to leaf."""
    return list(chains.sound_ders(MODULE_IDS[kind]))


def fields(kind: str, ders: list[bytes]) -> Fields:
    """The sound payload of one kind over ``ders``, root to leaf."""
    shared: Fields = {
        "module_id": MODULE_IDS[kind],
        "certificate": ders[-1],
        "cabundle": ders[:-1],
        "public_key": questions.PUBLIC_KEY,
        "user_data": questions.USER_DATA,
    }
    if kind == ENCLAVE:
        return forge.fields(**shared)
    return forge.fields(**shared, pcrs=..., nitrotpm_pcrs={index: forge.pcr(index) for index in range(24)})


def encode(values: Fields, *, indefinite: bool) -> bytes:
    """The payload as genuine ones were until mid-2025, or as they are since."""
    return forge.indefinite(values) if indefinite else cbor2.dumps(values)


@cache
def anchor(kind: str = ENCLAVE) -> SimulatedTrustAnchor:
    """The root of the sound documents."""
    return SimulatedTrustAnchor(certificates(kind)[chains.ROOT])


@cache
def forged() -> tuple[Base, ...]:
    """Both kinds, both encodings of the map, with and without the tag."""
    return tuple(_forged(kind, indefinite, tag) for kind, indefinite, tag in _SHAPES)


@cache
def genuine(folder: Path) -> tuple[Base, ...]:
    """The corpus's documents that AWS signed, as enclaves' and NitroTPMs'."""
    entries = json.loads((folder / "manifest.json").read_text())["documents"]
    listed = [entry for entry in entries if entry["verifies_at_own_timestamp"]]
    return tuple(_read(folder / entry["file"], entry["kind"]) for entry in listed)


_SHAPES = (
    (ENCLAVE, False, b""),
    (ENCLAVE, True, b""),
    (ENCLAVE, True, b"\xd2"),
    (NITROTPM, True, b""),
)


def _forged(kind: str, indefinite: bool, tag: bytes) -> Base:
    payload = encode(fields(kind, certificates(kind)), indefinite=indefinite)
    signature = chains.sign(payload, chains.sound_keys()[chains.LEAF])
    return Base(tag + forge.envelope(payload, signature), payload, kind)


def _read(file: Path, kind: str) -> Base:
    data = file.read_bytes()
    return Base(data, cbor2.loads(data)[2], kind)
