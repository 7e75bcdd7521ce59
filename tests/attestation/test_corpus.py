"""Documents that AWS Nitro hardware signed, and bad ones from other projects' tests."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, cast

import pytest

from attestation.errors import Rejected, RejectionCode
from attestation.measurements import parent_instance_pcr4
from attestation.modes import Archived, Recent
from attestation.policy import UnsafeAnyMeasurement
from attestation.verifier import VerifiedDocument, verify

ROOT = Path(__file__).parents[2]
CORPUS = ROOT / os.environ.get("STRONGROOM_CORPUS", "../shared/corpus")
TODAY_MS = 1_795_000_000_000  # long after every one of them

Entry = dict[str, Any]


def entries() -> list[Entry]:
    manifest = CORPUS / "manifest.json"
    return cast(list[Entry], json.loads(manifest.read_text())["documents"]) if manifest.exists() else []


GENUINE = [entry for entry in entries() if entry["verifies_at_own_timestamp"]]
BAD = {entry["file"]: entry for entry in entries() if not entry["verifies_at_own_timestamp"]}
BAD_CODES = {
    "045-bad.cbor": RejectionCode.UNPROTECTED_HEADER,
    "046-bad.cbor": RejectionCode.SIGNATURE,
    "047-bad.cbor": RejectionCode.TRUST_ANCHOR,
}


@pytest.mark.skipif(os.environ.get("CI") != "true" and not entries(), reason="no corpus: set STRONGROOM_CORPUS")
def test_the_corpus_is_there() -> None:
    assert len(GENUINE) >= 40
    assert BAD.keys() == BAD_CODES.keys()


def judge(entry: Entry, *, allow_debug: bool, kind: str) -> VerifiedDocument:
    data = (CORPUS / entry["file"]).read_bytes()
    return verify(data, policy=UnsafeAnyMeasurement(), mode=Archived(), allow_debug=allow_debug, kind=kind)


@pytest.mark.parametrize("entry", GENUINE, ids=lambda entry: str(entry["file"]))
def test_genuine(entry: Entry) -> None:
    verified = judge(entry, allow_debug=entry["debug_mode"], kind=entry["kind"])
    document = verified.document
    assert not verified.simulated
    assert (document.module_id, document.timestamp_ms) == (entry["module_id"], entry["timestamp_ms"])
    assert {str(index): value.hex() for index, value in document.pcrs.items()} == entry["pcrs"]
    for name in ("public_key", "user_data", "nonce"):
        value = getattr(document, name)
        assert ("null" if value is None else value.hex()) == (
            entry[name] if entry[name] in ("null", "") else entry[name]["hex"]
        )


@pytest.mark.parametrize("entry", GENUINE, ids=lambda entry: str(entry["file"]))
def test_genuine_is_refused_as_another_kind_as_production_and_today(entry: Entry) -> None:
    other = "enclave" if entry["kind"] == "nitrotpm" else "nitrotpm"
    with pytest.raises(Rejected, match="wrong-kind"):
        judge(entry, allow_debug=True, kind=other)
    if entry["debug_mode"]:
        with pytest.raises(Rejected, match="debug-mode"):
            judge(entry, allow_debug=False, kind=entry["kind"])
    with pytest.raises(Rejected, match="certificate-expired"):
        verify(
            (CORPUS / entry["file"]).read_bytes(),
            policy=UnsafeAnyMeasurement(),
            mode=Recent(TODAY_MS, 10**9),
            kind=entry["kind"],
        )


@pytest.mark.parametrize("entry", [e for e in GENUINE if e["kind"] == "enclave"], ids=lambda e: str(e["file"]))
def test_pcr4_is_the_parent_instance(entry: Entry) -> None:
    document = judge(entry, allow_debug=True, kind="enclave").document
    assert document.pcrs[4] == parent_instance_pcr4(document.instance_id)


@pytest.mark.parametrize("file", BAD)
def test_bad(file: str) -> None:
    with pytest.raises(Rejected) as caught:
        judge(BAD[file], allow_debug=True, kind="enclave")
    assert caught.value.code is BAD_CODES[file]
