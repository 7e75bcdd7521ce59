"""The genuine enclave documents of a folder: those that its manifest names, or else those that the verifier accepts."""

from __future__ import annotations

import json
from pathlib import Path

from attestation.cose import MAX_ENVELOPE_BYTES
from attestation.errors import Rejected
from attestation.modes import Archived
from attestation.policy import UnsafeAnyMeasurement
from attestation.verifier import verify
from benchmarks.peers.turns import Sample

MANIFEST = "manifest.json"


class Unusable(Exception):
    """There is nothing in this folder that can be timed."""


def load(folder: Path) -> list[Sample]:
    """Samples in the order of their names. Raises Unusable."""
    try:
        named = (folder / MANIFEST).is_file()
        samples = _from_manifest(folder) if named else _from_files(folder)
    except OSError as error:
        raise Unusable(f"{folder}: {error.strerror}") from None
    if not samples:
        raise Unusable(f"{folder}: expected genuine enclave documents, got none")
    return samples


def _from_manifest(folder: Path) -> list[Sample]:
    try:
        entries = json.loads((folder / MANIFEST).read_bytes())["documents"]
        genuine = [e["file"] for e in entries if e["kind"] == "enclave" and e["verifies_at_own_timestamp"]]
        paths = [folder / name for name in sorted(genuine)]
    except (ValueError, KeyError, TypeError):
        raise Unusable(f"{folder / MANIFEST}: expected documents with file, kind, verifies_at_own_timestamp") from None
    return [_sample(path) for path in paths]


def _from_files(folder: Path) -> list[Sample]:
    samples = []
    for path in sorted(folder.iterdir()):
        if path.is_file():
            try:
                samples.append(_sample(path))
            except Unusable:
                continue
    return samples


def _sample(path: Path) -> Sample:
    with path.open("rb") as file:
        document = file.read(MAX_ENVELOPE_BYTES + 1)
    try:
        verified = verify(document, policy=UnsafeAnyMeasurement(), mode=Archived(), allow_debug=True)
    except Rejected as rejected:
        raise Unusable(f"{path}: expected a genuine enclave document, got {rejected}") from None
    return Sample(document, verified.document.timestamp_ms)
