"""Invariant of ``verify`` and ``judge``: Rejected, or accepted with a payload that the leaf's key has signed.

Both give the same verdict, and its report is JSON.
"""

from __future__ import annotations

import json

from attestation.errors import Rejected
from attestation.modes import Archived
from attestation.policy import UnsafeAnyMeasurement
from attestation.report import judge
from attestation.verifier import verify
from tests.attestation.mutation import bases
from tests.fuzz.targets import check

_MODE, _POLICY = Archived(), UnsafeAnyMeasurement()


def seeds() -> list[bytes]:
    return [base.data for base in bases.forged()]


def one_input(data: bytes) -> None:
    anchor = bases.anchor()
    report = judge(data, policy=_POLICY, mode=_MODE, anchor=anchor, allow_simulated=True)
    json.dumps(report.to_builtins(), allow_nan=False)
    try:
        verified = verify(data, policy=_POLICY, mode=_MODE, anchor=anchor, allow_simulated=True)
    except Rejected as rejected:
        check(report.rejection is not None and report.rejection.code is rejected.code, "one verdict")
        return
    check(report.accepted, "one verdict")
    signed = {base.payload for base in bases.forged()}
    check(verified.document.envelope.payload in signed, "a payload that was signed")
