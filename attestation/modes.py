"""Three freshnesses, never equal: live (answers my nonce), recent (held a while ago), archived (genuine then)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from attestation.documents import AttestationDocument
from attestation.errors import PolicyError, Rejected, RejectionCode

MAX_NONCE_BYTES = 1024  # what a document can carry; genuine ones show nonces of 6 to 1,024 bytes
MAX_SKEW_S = 300


@dataclass(frozen=True, slots=True)
class Live:
    """The document answers ``nonce``, made by the caller for this one question, and is young at ``at_ms``.

    ``nonce`` has 1 to 1,024 bytes, ``skew_s`` is at most 300. A nonce proves what its maker put into it: take 32 random
    bytes, once. Raises PolicyError.
    """

    name: ClassVar[str] = "live"
    nonce: bytes = field(repr=False)
    at_ms: int
    max_age_s: int = 300
    skew_s: int = MAX_SKEW_S

    def __post_init__(self) -> None:
        _check_nonce(self.nonce)
        _check_clock(self.at_ms, self.max_age_s, self.skew_s)

    def instant_ms(self, document: AttestationDocument) -> int:
        """The caller's now."""
        return self.at_ms

    def check(self, document: AttestationDocument) -> None:
        """Exact nonce, and age within bounds. Raises Rejected."""
        if document.nonce != self.nonce:
            raise Rejected(RejectionCode.NONCE, f"the nonce asked with, {len(self.nonce)} bytes", "another")
        _check_age(document, self.at_ms, self.max_age_s, self.skew_s)


@dataclass(frozen=True, slots=True)
class Recent:
    """The document is at most ``max_age_s`` old at ``at_ms``; it can be replayed until then. Raises PolicyError."""

    name: ClassVar[str] = "recent"
    at_ms: int
    max_age_s: int
    skew_s: int = MAX_SKEW_S

    def __post_init__(self) -> None:
        _check_clock(self.at_ms, self.max_age_s, self.skew_s)

    def instant_ms(self, document: AttestationDocument) -> int:
        """The caller's now."""
        return self.at_ms

    def check(self, document: AttestationDocument) -> None:
        """Age within bounds. Raises Rejected."""
        _check_age(document, self.at_ms, self.max_age_s, self.skew_s)


@dataclass(frozen=True, slots=True)
class Archived:
    """The document was genuine at ``at_ms``, by default at its own signed timestamp. Raises PolicyError.

    Backdating needs the leaf's key, since the timestamp is signed under the chain that is judged at it.
    """

    name: ClassVar[str] = "archived"
    at_ms: int | None = None
    skew_s: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        if self.at_ms is not None:
            _check_instant(self.at_ms)

    def instant_ms(self, document: AttestationDocument) -> int:
        """The instant asked for, or the document's own."""
        return document.timestamp_ms if self.at_ms is None else self.at_ms

    def check(self, document: AttestationDocument) -> None:
        """A document made after the instant is no evidence for it. Raises Rejected."""
        _check_not_from_the_future(document, self.instant_ms(document), self.skew_s)


Mode = Live | Recent | Archived


def _check_nonce(nonce: object) -> None:
    if not isinstance(nonce, bytes) or not 1 <= len(nonce) <= MAX_NONCE_BYTES:
        raise PolicyError(f"expected a nonce of 1 to {MAX_NONCE_BYTES} bytes")


def _check_clock(at_ms: int, max_age_s: int, skew_s: int) -> None:
    _check_instant(at_ms)
    if type(max_age_s) is not int or max_age_s < 1:
        raise PolicyError(f"expected max_age_s of at least 1, got {max_age_s!r}")
    if type(skew_s) is not int or not 0 <= skew_s <= MAX_SKEW_S:
        raise PolicyError(f"expected skew_s from 0 to {MAX_SKEW_S}, got {skew_s!r}")


def _check_instant(at_ms: int) -> None:
    if type(at_ms) is not int or not 0 < at_ms < 1 << 63:
        raise PolicyError(f"expected at_ms in milliseconds since the epoch, got {at_ms!r}")


def _check_age(document: AttestationDocument, at_ms: int, max_age_s: int, skew_s: int) -> None:
    _check_not_from_the_future(document, at_ms, skew_s)
    age_ms = at_ms - document.timestamp_ms
    if age_ms > max_age_s * 1000:
        raise Rejected(RejectionCode.TOO_OLD, f"at most {max_age_s} s of age", f"{age_ms} ms")


def _check_not_from_the_future(document: AttestationDocument, at_ms: int, skew_s: int) -> None:
    if document.timestamp_ms > at_ms + skew_s * 1000:
        raise Rejected(
            RejectionCode.FROM_THE_FUTURE, f"a timestamp until {at_ms} + {skew_s} s", f"{document.timestamp_ms}"
        )
