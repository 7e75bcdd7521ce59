"""The verifier. A document passes every step, in this order, or there is no result at all:

 1. parse the envelope, strictly, one shape only                              (rules 1 to 8)
 2. parse the payload, strictly, every field bounded                          (rules 9 to 19)
 3. the anchor is allowed: a simulated one only if the caller says so
 4. the kind is the one that the caller expects, enclave or nitrotpm          (rule 15)
 5. the chain holds, from the pinned anchor to the leaf                       (rules 20 to 25, 28)
 6. every certificate is valid at the instant judged and at the timestamp     (rule 26)
 7. the envelope's signature verifies under the leaf's key                    (rule 8)
 8. the freshness that the mode demands: nonce, age                           (rule 31)
 9. no debug mode, unless the caller allows it                                (rule 29)
10. the policy accepts the measurements                                       (rule 30)
11. it binds the public key and the user data that the caller expects         (rule 32)

What the appliance's own documents bind is checked by its clients on top: ``attestation.bindings``. The steps by name,
for reports: ``attestation.steps``.
"""

from __future__ import annotations

from dataclasses import InitVar, dataclass
from typing import final

from attestation import chain, claims
from attestation.anchors import AWS_NITRO_ROOT_G1, SimulatedTrustAnchor, TrustAnchor
from attestation.chain import Chain, ChainCache
from attestation.debug import check_not_debug
from attestation.documents import AttestationDocument
from attestation.errors import PolicyError, Rejected, RejectionCode
from attestation.modes import Mode
from attestation.policy import Policy, pinned_registers, require_acceptance

_GUARD = object()


@final
@dataclass(frozen=True, slots=True)
class VerifiedDocument:
    """A document that passed every step of ``verify``, the only maker of these."""

    document: AttestationDocument
    mode: Mode
    anchor: TrustAnchor | SimulatedTrustAnchor
    valid_until_ms: int
    """The earliest not-after of the chain."""
    proves: tuple[str, ...]
    does_not_prove: tuple[str, ...]
    guard: InitVar[object]

    def __init_subclass__(cls) -> None:
        raise TypeError("expected no subclass of VerifiedDocument: it could leave out the guard")

    def __post_init__(self, guard: object) -> None:
        if guard is not _GUARD:
            raise TypeError("expected attestation.verifier.verify to make a VerifiedDocument")

    @property
    def simulated(self) -> bool:
        """False only under the pinned AWS root."""
        return self.anchor.simulated


def verify(
    document: bytes | AttestationDocument,
    *,
    policy: Policy,
    mode: Mode,
    anchor: TrustAnchor | SimulatedTrustAnchor = AWS_NITRO_ROOT_G1,
    allow_simulated: bool = False,
    allow_debug: bool = False,
    kind: str = "enclave",
    expect_public_key: bytes | None = None,
    expect_user_data: bytes | None = None,
    cache: ChainCache | None = None,
) -> VerifiedDocument:
    """Judge ``document`` by the steps above; ``mode`` carries the instant. Raises Rejected, PolicyError.

    ``expect_public_key`` and ``expect_user_data`` are exact bytes, at least one; None expects nothing. A ``cache``
    handed in again saves the chain's signatures for documents of a chain that it has seen.
    """
    _check_expectations(expect_public_key, expect_user_data)
    parsed = _parsed(document)
    _check_anchor(anchor, allow_simulated)
    _check_kind(parsed, kind)
    links = chain.walk(parsed, anchor, cache)
    _check_instants(links, parsed, mode)
    parsed.envelope.verify(links.leaf_key)
    mode.check(parsed)
    if not allow_debug:
        check_not_debug(parsed)
    require_acceptance(policy, parsed, mode.instant_ms(parsed))
    _check_bound(RejectionCode.PUBLIC_KEY, expect_public_key, parsed.public_key)
    _check_bound(RejectionCode.USER_DATA, expect_user_data, parsed.user_data)
    return VerifiedDocument(
        document=parsed,
        mode=mode,
        anchor=anchor,
        valid_until_ms=links.valid_until_ms,
        proves=claims.proves(parsed, mode, anchor, pinned=pinned_registers(policy)),
        does_not_prove=claims.does_not_prove(parsed, mode, anchor, pinned=pinned_registers(policy)),
        guard=_GUARD,
    )


def _check_expectations(*expected: bytes | None) -> None:
    """An empty expectation would be met by a document that binds nothing."""
    if b"" in expected:
        raise PolicyError("expected at least one byte of public key or user data to expect, got none")


def _parsed(document: bytes | AttestationDocument) -> AttestationDocument:
    """Fields are read from the signed payload here, whatever the object that came in claims they are."""
    if isinstance(document, AttestationDocument):
        return AttestationDocument.from_envelope(document.envelope)
    return AttestationDocument.from_bytes(document)


def _check_anchor(anchor: TrustAnchor | SimulatedTrustAnchor, allow_simulated: bool) -> None:
    if anchor.simulated and not allow_simulated:
        raise Rejected(RejectionCode.SIMULATED_ANCHOR, "the AWS Nitro root", f"root {anchor.sha256}")


def _check_kind(document: AttestationDocument, kind: str) -> None:
    if document.kind != kind:
        raise Rejected(RejectionCode.WRONG_KIND, f"kind {kind}", document.kind)


def _check_instants(links: Chain, document: AttestationDocument, mode: Mode) -> None:
    """The signed timestamp lies in the window without forgiveness: whoever signed it held a valid leaf."""
    links.check_instant(document.timestamp_ms)
    links.check_instant(mode.instant_ms(document), skew_ms=mode.skew_s * 1000)


def _check_bound(code: RejectionCode, expected: bytes | None, actual: bytes | None) -> None:
    if expected is not None and actual != expected:
        found = "none" if actual is None else f"{len(actual)} bytes that differ"
        raise Rejected(code, f"the {len(expected)} bytes asked for", found)
