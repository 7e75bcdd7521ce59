"""Rule 26: which certificates are valid at the instant judged and at the timestamp."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from tests.attestation.vectors.case import ANY, Case, accepted, rejected, under
from tests.attestation.vectors.chains import INSTANCE, LEAF, MADE, REGIONAL, ROOT, SOUND, ZONAL, with_changed
from tests.attestation.vectors.documents import MADE_MS, document

_SECOND, _MINUTE = timedelta(seconds=1), timedelta(minutes=1)
_STARTS, _ENDS = SOUND[LEAF].not_before, SOUND[LEAF].not_after


def at(instant: datetime) -> tuple[str, ...]:
    """Archived, judged at an instant of the caller's."""
    return ("--at", instant.strftime("%Y-%m-%dT%H:%M:%SZ"), *ANY)


def _made(instant: datetime) -> bytes:
    return document(timestamp=int(instant.timestamp() * 1000))


def cases() -> Iterator[Case]:
    """All of this module's."""
    yield from _controls()
    yield from _timestamps()
    yield from _instants()
    yield from _authorities()


def _controls() -> Iterator[Case]:
    yield accepted(26, "made-in-first-second", "made at the leaf's notBefore", _made(_STARTS))
    yield accepted(26, "made-in-last-second", "made at the leaf's notAfter", _made(_ENDS))
    later = at(MADE + 30 * _MINUTE)
    yield accepted(26, "judged-later", "judged half an hour after it was made", document(), arguments=later)
    long = with_changed(LEAF, not_after=datetime(2050, 6, 30, tzinfo=UTC))
    yield accepted(26, "leaf-until-2050", "a leaf until 2050, a GeneralizedTime", document(long))


def _timestamps() -> Iterator[Case]:
    code, early = "certificate-not-yet-valid", _made(_STARTS - _SECOND)
    yield rejected(code, "made-before-leaf", "made a second before the leaf's notBefore", early, 33)
    title = "made a second before the leaf's notBefore, judged within its window"
    yield rejected(code, "made-before-leaf-judged-within", title, early, 33, arguments=at(MADE))
    seconds = document(timestamp=MADE_MS // 1000)
    yield rejected(code, "made-in-1970", "a timestamp in seconds: January 1970", seconds, 33)
    code, late = "certificate-expired", _made(_ENDS + _SECOND)
    yield rejected(code, "made-after-leaf", "made a second after the leaf's notAfter", late, 33)


def _instants() -> Iterator[Case]:
    code, data = "certificate-expired", document()
    after = at(_ENDS + _SECOND)
    yield rejected(code, "leaf-expired", "judged a second after the leaf's notAfter", data, 56, arguments=after)
    now = ("--recent", "--max-age", "900000000", *ANY)
    yield rejected(code, "leaf-expired-now", "judged now, long after the leaf's three hours", data, 56, arguments=now)
    below = (replace(each, not_after=datetime(2051, 1, 1, tzinfo=UTC)) for each in SOUND[REGIONAL:])
    outlived = document((SOUND[ROOT], *below))
    in_2050 = at(datetime(2050, 6, 1, tzinfo=UTC))
    yield rejected(code, "root-expired", "judged when the root alone has expired", outlived, 56, arguments=in_2050)


def _authorities() -> Iterator[Case]:
    for name, position in (("regional", REGIONAL), ("zonal", ZONAL), ("instance", INSTANCE)):
        ended, begins = MADE - _SECOND, MADE + _SECOND
        expired, early = with_changed(position, not_after=ended), with_changed(position, not_before=begins)
        title = f"made a second after the {name} certificate's notAfter"
        yield under("certificate-expired", f"{name}-expired", title, expired, 56)
        title = f"made a second before the {name} certificate's notBefore"
        yield under("certificate-not-yet-valid", f"{name}-not-yet-valid", title, early, 56)
