"""Invariant of ``judge_receipt``: the one receipt that was signed is accepted, and nothing else.

Its report is JSON, and ``verify_receipt`` gives the same verdict.
"""

from __future__ import annotations

import json
from functools import cache

from attestation.modes import Archived
from attestation.policy import UnsafeAnyMeasurement
from attestation.proof_errors import ProofRejected
from attestation.proofs.report import judge_receipt
from attestation.proofs.verifier import verify_receipt
from attestation.report import Report, judge
from attestation.verifier import VerifiedDocument
from tests.attestation import forge
from tests.attestation.issuing import Enclave, enclave_a
from tests.fuzz.targets import check


def seeds() -> list[bytes]:
    return [_receipt(), Enclave("B").issue().receipt, enclave_a().checkpoint()]


def one_input(data: bytes) -> None:
    report = judge_receipt(data, _document_report())
    json.dumps(report.to_builtins(), allow_nan=False)
    check((report.verified is not None) is (data == _receipt()), "the receipt that was signed, and no other")
    check(all(each.status != "passed" for each in report.checks[-3:]), "layers skipped that nobody asked for")
    try:
        verify_receipt(data, _document())
    except ProofRejected as refusal:
        check(report.rejection is not None and report.rejection.code is refusal.code, "one verdict")
        return
    check(report.rejection is None, "one verdict")


@cache
def _receipt() -> bytes:
    return Enclave("A").issue().receipt


@cache
def _document() -> VerifiedDocument:
    return enclave_a().verified()


@cache
def _document_report() -> Report:
    anchor, policy = forge.pki().anchor, UnsafeAnyMeasurement()
    return judge(enclave_a().document, policy=policy, mode=Archived(), anchor=anchor, allow_simulated=True)
