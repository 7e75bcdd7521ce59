"""What a verdict says, in words for people: what a verified document proves, and what it does not."""

from __future__ import annotations

from collections.abc import Collection

from attestation.anchors import SimulatedTrustAnchor, TrustAnchor
from attestation.debug import is_debug
from attestation.documents import AttestationDocument
from attestation.modes import Live, Mode, Recent

_PARENT_ROLE = 3
_NOT_PINNED = {
    _PARENT_ROLE: "whose deployment it is: the caller's policy leaves out PCR3, the parent's role",
    16: "what its PCR16 stands for (Strongroom's models): the caller's policy leaves it out",
    17: "what its PCR17 stands for (Strongroom's configuration): the caller's policy leaves it out",
}


def proves(
    document: AttestationDocument, mode: Mode, anchor: TrustAnchor | SimulatedTrustAnchor, *, pinned: Collection[int]
) -> tuple[str, ...]:
    """Statements that hold for a document which passed every step."""
    signer = f"a software NSM (simulated root {anchor.sha256})" if anchor.simulated else "AWS Nitro hardware"
    measured = ("its PCRs satisfied the caller's policy at the instant judged",) if pinned else ()
    return (f"signed by {signer} for {document.module_id}", *measured, _freshness(mode))


def does_not_prove(
    document: AttestationDocument, mode: Mode, anchor: TrustAnchor | SimulatedTrustAnchor, *, pinned: Collection[int]
) -> tuple[str, ...]:
    """The limits that a reader of the verdict must know."""
    limits = [
        "that no certificate was revoked: none is consulted offline",
        "who holds the keys it names: the caller checks the bindings in public_key and user_data",
    ]
    if not isinstance(mode, Live):
        limits += ["that it was made for this caller: it can be replayed", "that the enclave still runs"]
    if not pinned:
        limits.append("which code runs: the caller's policy accepts any measurement")
    elif document.kind == "enclave":
        limits += [limit for index, limit in _NOT_PINNED.items() if index not in pinned and _counts(document, index)]
    if anchor.simulated:
        limits.append("anything about hardware: the trust anchor is simulated")
    if is_debug(document):
        limits.append("confidentiality or which code ran: the enclave is in debug mode")
    return tuple(limits)


def _counts(document: AttestationDocument, index: int) -> bool:
    """Whether the register says something: zeros are of no extension, but also of a parent without a role."""
    return index == _PARENT_ROLE or any(document.pcrs.get(index, b""))


def _freshness(mode: Mode) -> str:
    if isinstance(mode, Live):
        return "made in answer to the caller's nonce"
    if isinstance(mode, Recent):
        return f"made at most {mode.max_age_s} s before the instant judged"
    return "genuine at its own timestamp"
