"""Documents that AWS Nitro hardware signed, and bad ones from other projects' tests. Any corpus of ours will do."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from attestation.errors import Rejected, RejectionCode
from attestation.measurements import parent_instance_pcr4
from attestation.modes import Archived, Mode, Recent
from attestation.policy import UnsafeAnyMeasurement
from attestation.second_opinion import second_opinion
from attestation.verifier import VerifiedDocument, verify
from tests.corpus import corpus

TODAY_MS = 1_795_000_000_000  # long after every one of them
BAD_CODES = {  # by the first digits of the document's SHA-256
    "e388022c": RejectionCode.UNPROTECTED_HEADER,
    "5f42eb91": RejectionCode.SIGNATURE,
    "bfd95b4b": RejectionCode.TRUST_ANCHOR,
}

Entry = dict[str, Any]


def entries(*, genuine: bool) -> list[Entry]:
    """The manifest's entries of one sort, each with its document's bytes as ``data``; there are always genuine ones."""
    folder = corpus()
    listed = json.loads((folder / "manifest.json").read_text())["documents"]
    chosen = [entry for entry in listed if entry["verifies_at_own_timestamp"] is genuine]
    assert chosen or not genuine
    return [{**entry, "data": (folder / entry["file"]).read_bytes()} for entry in chosen]


def judge(
    entry: Entry, *, kind: str | None = None, allow_debug: bool = True, mode: Mode | None = None
) -> VerifiedDocument:
    """Verify under the AWS root, as the manifest's kind; what was accepted again by the second opinion."""
    try:
        verified = verify(
            entry["data"],
            policy=UnsafeAnyMeasurement(),
            mode=mode or Archived(),
            allow_debug=allow_debug,
            kind=kind or entry["kind"],
        )
        second_opinion(entry["data"], verified)
    except Rejected as rejected:
        rejected.add_note(f"document {entry['file']}")
        raise
    return verified


def test_the_genuine_are_accepted_and_read_as_the_manifest_says() -> None:
    for entry in entries(genuine=True):
        verified = judge(entry, allow_debug=entry["debug_mode"])
        document = verified.document
        assert not verified.simulated
        assert (document.module_id, document.timestamp_ms) == (entry["module_id"], entry["timestamp_ms"])
        assert {str(index): value.hex() for index, value in document.pcrs.items()} == entry["pcrs"]
        for name in ("public_key", "user_data", "nonce"):
            value = getattr(document, name)
            listed = entry[name] if isinstance(entry[name], str) else entry[name]["hex"]
            assert ("null" if value is None else value.hex()) == listed, (entry["file"], name)


def test_the_genuine_are_refused_as_the_other_kind_and_today() -> None:
    for entry in entries(genuine=True):
        with pytest.raises(Rejected, match="wrong-kind"):
            judge(entry, kind="enclave" if entry["kind"] == "nitrotpm" else "nitrotpm")
        with pytest.raises(Rejected, match="certificate-expired"):
            judge(entry, mode=Recent(TODAY_MS, 10**9))


def test_debug_documents_are_refused_unless_allowed() -> None:
    for entry in entries(genuine=True):
        if entry["debug_mode"]:
            with pytest.raises(Rejected, match="debug-mode"):
                judge(entry, allow_debug=False)


def test_pcr4_is_the_parent_instance() -> None:
    for entry in entries(genuine=True):
        if entry["kind"] == "enclave":
            document = judge(entry).document
            assert document.pcrs[4] == parent_instance_pcr4(document.instance_id), entry["file"]


def test_the_bad_are_rejected() -> None:
    for entry in entries(genuine=False):
        with pytest.raises(Rejected) as caught:
            judge(entry)
        known = BAD_CODES.get(hashlib.sha256(entry["data"]).hexdigest()[:8], caught.value.code)
        assert caught.value.code is known, entry["file"]
