"""Rule 30 under the policy of a client: tuples of image, parent's role, models and configuration."""

from __future__ import annotations

from collections.abc import Iterator

from tests.attestation.vectors.case import Case, accepted, rejected
from tests.attestation.vectors.cases.policy import BY_POLICY, OURS, table
from tests.attestation.vectors.documents import PCRS, document, pcr

_MEASURED = {16: "the models", 17: "the configuration"}
_PCRS = PCRS | {index: pcr(index) for index in _MEASURED}
_PINNED = {**dict.fromkeys(range(3), "the image"), 3: "the parent's role", **_MEASURED}


def _tuple(release: str = "N") -> str:
    return table(OURS, release=release, **{f"pcr{index}": pcr(index, release) for index in _MEASURED})


def cases() -> Iterator[Case]:
    """All of this module's."""
    one, two = _tuple(), f"{_tuple()}\n{_tuple('N-1')}"
    whole = document(pcrs=_PCRS)
    yield accepted(30, "tuple", "all six registers of a tuple", whole, arguments=BY_POLICY, policy=one)
    for index, what in _PINNED.items():
        other = document(pcrs=_PCRS | {index: pcr(index, "N-1")})
        slug, title = f"tuple-pcr-{index}-differs", f"another PCR{index}, {what}, than the tuple's"
        yield rejected("measurement", slug, title, other, arguments=BY_POLICY, policy=one)
    for index, what in _PINNED.items():
        without = document(pcrs={each: value for each, value in _PCRS.items() if each != index})
        slug, title = f"tuple-pcr-{index}-absent", f"no PCR{index}, {what}, though the tuple has it"
        yield rejected("measurement-absent", slug, title, without, arguments=BY_POLICY, policy=one)
    for index in (1, 17):
        mixed = document(pcrs=_PCRS | {index: pcr(index, "N-1")})
        slug, title = f"tuples-pcr-{index}-mixed", f"PCR{index} of one tuple, all others of another"
        yield rejected("no-policy-matches", slug, title, mixed, arguments=BY_POLICY, policy=two)
