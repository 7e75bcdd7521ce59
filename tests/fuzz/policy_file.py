"""Invariant of ``load_measurements``: PolicyError, or tuples that dump and load as the same tuples."""

from __future__ import annotations

from attestation.errors import PolicyError
from attestation.policy_file import dump_measurements, load_measurements
from tests.attestation import forge
from tests.fuzz.targets import check

_IMAGE = "[[measurement]]\n" + "".join(f'pcr{index} = "{forge.pcr(index).hex()}"\n' for index in range(3))
_ROLE = 'parent_role = "arn:aws:iam::111122223333:role/strongroom"\n'
_WINDOW = "not_before = 2026-01-01T01:00:00+01:00\nnot_after = 2026-06-30T00:00:00.5Z\n"


def seeds() -> list[bytes]:
    texts = (
        *(_IMAGE + _ROLE, _IMAGE + "any_parent_role = true\n", _IMAGE + _ROLE + 'name = "release 1"\n' + _WINDOW),
        *(_IMAGE + f'pcr3 = "{forge.pcr(3).hex()}"\npcr16 = "{forge.pcr(16).hex()}"\n', (_IMAGE + _ROLE) * 2),
        *("[[measurement]]\npcrs = {}\n", "measurement = [[[[1]]]]\n", "a.b.c = 1979-05-27T07:32:00-08:00\n"),
    )
    return [text.encode() for text in texts]


def one_input(data: bytes) -> None:
    try:
        listed = load_measurements(data)
    except PolicyError:
        return
    check(load_measurements(dump_measurements(listed).encode()) == listed, "the same tuples again")
