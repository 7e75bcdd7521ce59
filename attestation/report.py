"""A verdict with its reasons, for people and for machines: which step held, which did not, which was not asked.

``verify`` gives a document or an error and nothing beside it; an auditor also wants to read the refusals. A report
holds both cases, and never a verified document next to a rejection.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, Required, TypedDict, TypeVar, Unpack

from attestation.anchors import AWS_NITRO_ROOT_G1, SimulatedTrustAnchor, TrustAnchor
from attestation.chain import ChainCache
from attestation.documents import AttestationDocument
from attestation.errors import Rejected
from attestation.modes import Archived, Mode
from attestation.policy import Policy, pinned_registers
from attestation.proof_errors import Layer, ProofRejected
from attestation.steps import Step, step_of
from attestation.verifier import VerifiedDocument, verify

Status = Literal["passed", "failed", "skipped"]
Stage = TypeVar("Stage", Step, Layer)


class Demands(TypedDict, total=False):
    """What a caller demands of a document: the keywords of ``attestation.verifier.verify``."""

    policy: Required[Policy]
    mode: Required[Mode]
    anchor: TrustAnchor | SimulatedTrustAnchor
    allow_simulated: bool
    allow_debug: bool
    kind: str
    expect_public_key: bytes | None
    expect_user_data: bytes | None
    cache: ChainCache | None


@dataclass(frozen=True, slots=True)
class Check:
    """One step's outcome; ``expected`` is its demand, ``actual`` what was found, or why it was skipped."""

    name: str
    status: Status
    expected: str | None
    actual: str | None


@dataclass(frozen=True, slots=True)
class Report:
    """The outcome of one judgement. Exactly one of ``verified`` and ``rejection`` is there.

    ``document`` is what the bytes say, as far as they parse by rules 1 to 19: believed only beside ``verified``.
    """

    mode: str
    kind: str
    anchor: TrustAnchor | SimulatedTrustAnchor
    document: AttestationDocument | None = field(repr=False)
    verified: VerifiedDocument | None
    rejection: Rejected | None
    checks: tuple[Check, ...]

    @property
    def accepted(self) -> bool:
        """Whether every step that was asked for held."""
        return self.verified is not None

    def to_builtins(self) -> dict[str, object]:
        """The report as JSON's types: bytes in hex, instants in milliseconds, null where nothing could be parsed."""
        return {
            "verdict": "accepted" if self.accepted else "rejected",
            "code": None if self.rejection is None else str(self.rejection.code),
            "mode": self.mode,
            "kind": self.kind,
            "trust_anchor": {"sha256": self.anchor.sha256, "simulated": self.anchor.simulated},
            "document": document_fields(self.document),
            "checks": [
                {"name": check.name, "status": check.status, "expected": check.expected, "actual": check.actual}
                for check in self.checks
            ],
            "proves": [] if self.verified is None else list(self.verified.proves),
            "does_not_prove": [] if self.verified is None else list(self.verified.does_not_prove),
        }


def judge(data: bytes, *, second_opinion: bool = False, **demands: Unpack[Demands]) -> Report:
    """Verify ``data`` and report; ``second_opinion`` asks an independent stack about what was accepted.

    Raises PolicyError, since nothing can be judged by unusable demands, and ModuleNotFoundError where the second
    opinion's package is missing.
    """
    verified, rejection = None, None
    try:
        verified = _verified(data, second_opinion, demands)
    except Rejected as refusal:
        rejection = refusal
    document = _parsed(data) if verified is None else verified.document
    skipped = _not_asked(demands, second_opinion)
    return Report(
        mode=demands["mode"].name,
        kind=demands.get("kind", "enclave"),
        anchor=demands.get("anchor", AWS_NITRO_ROOT_G1),
        document=document,
        verified=verified,
        rejection=rejection,
        checks=tuple(checks_of(Step, skipped, None if rejection is None else step_of(rejection.code), rejection)),
    )


def _verified(data: bytes, second_opinion: bool, demands: Demands) -> VerifiedDocument:
    verified = verify(data, **demands)
    if second_opinion:
        from attestation.second_opinion import second_opinion as ask  # the auditor's side only: it needs pycose

        ask(data, verified)
    return verified


def _parsed(data: bytes) -> AttestationDocument | None:
    try:
        return AttestationDocument.from_bytes(data)
    except Rejected:
        return None


def _not_asked(demands: Demands, second_opinion: bool) -> Mapping[Step, str]:
    """The steps that these demands leave out, and why."""
    mode = demands["mode"]
    nothing_expected = demands.get("expect_public_key") is None and demands.get("expect_user_data") is None
    left_out = {
        Step.FRESHNESS: ("archived: judged at its own timestamp", isinstance(mode, Archived) and mode.at_ms is None),
        Step.DEBUG: ("debug mode is allowed, or the kind has none", _takes_debug(demands)),
        Step.POLICY: ("any measurement is allowed", not pinned_registers(demands["policy"])),
        Step.BINDING: ("nothing is expected", nothing_expected),
        Step.SECOND_OPINION: ("not asked for", not second_opinion),
    }
    return {step: why for step, (why, left) in left_out.items() if left}


def _takes_debug(demands: Demands) -> bool:
    return demands.get("allow_debug", False) or demands.get("kind") == "nitrotpm"


def checks_of(
    stages: Iterable[Stage],
    skipped: Mapping[Stage, str],
    failed: Stage | None,
    rejection: Rejected | ProofRejected | None,
) -> list[Check]:
    """Each stage's outcome, in the order judged: those before ``failed`` passed or have a reason in ``skipped``."""
    checks, reached = [], True
    for stage in stages:
        if rejection is not None and stage is failed:
            checks.append(Check(stage, "failed", rejection.expected, rejection.actual))
            reached = False
        elif not reached:
            checks.append(Check(stage, "skipped", stage.demand, f"{failed} failed before"))
        elif stage in skipped:
            checks.append(Check(stage, "skipped", stage.demand, skipped[stage]))
        else:
            checks.append(Check(stage, "passed", stage.demand, "holds"))
    return checks


def document_fields(document: AttestationDocument | None) -> dict[str, object]:
    """A document as JSON's types, null for each field of one that does not parse; believes nothing."""
    if document is None:
        return dict.fromkeys(("module_id", "digest", "timestamp", "pcrs", "public_key", "user_data", "nonce"))
    return {
        "module_id": document.module_id,
        "digest": document.digest,
        "timestamp": document.timestamp_ms,
        "pcrs": {str(index): value.hex() for index, value in sorted(document.pcrs.items())},
        "public_key": _hex(document.public_key),
        "user_data": _hex(document.user_data),
        "nonce": _hex(document.nonce),
    }


def _hex(value: bytes | None) -> str | None:
    return None if value is None else value.hex()
