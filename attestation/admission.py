"""What a key policy admits, held against the tuples of a policy file.

Read from the statements alone: an Allow of Decrypt admits the combinations of values that it demands, unless a floor
denies them. Principals, encryption contexts and what IAM adds are not looked at.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from attestation.compiler import window_conditions
from attestation.key_policy.attested import pins
from attestation.key_policy.findings import Finding, error, warning
from attestation.key_policy.floors import floor_of
from attestation.key_policy.statements import Condition, Statement, UnreadableStatementError, read_statements
from attestation.policy import Measurements

MAX_COMBINATIONS = 256

_MEASUREMENT = re.compile(r"[0-9a-fA-F]{96}")
_Date = tuple[str, str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Release:
    """One combination of PCR values (index → 48 bytes) under which a statement lets KMS decrypt.

    ``window`` holds its date conditions: (operator, condition key, values), in lower case but for the values.
    """

    statement: str
    pcrs: Mapping[int, bytes]
    window: frozenset[_Date] = frozenset()


@dataclass(frozen=True, slots=True)
class Comparison:
    """Tuples of the file that the key policy admits and misses, and what it admits beyond them."""

    admitted: tuple[Measurements, ...]
    missed: tuple[Measurements, ...]
    beyond: tuple[Release, ...]
    untimely: tuple[Measurements, ...]
    """Those of ``admitted`` whose window in the file is not that of the key policy."""

    def findings(self) -> Iterator[Finding]:
        """Errors for what is admitted beyond the file, warnings for what it lists in vain."""
        for release in self.beyond:
            yield error(
                "beyond-policy-file",
                f"{release.statement}: admits measurements that the policy file does not list",
                "compile the key policy from the file again",
            )
        for measurements in self.untimely:
            yield error(
                "other-window",
                f"{label(measurements)}: admitted at other times than the policy file says",
                "compile the key policy from the file again",
            )
        for measurements in self.missed:
            yield warning(
                "not-admitted",
                f"{label(measurements)}: listed in the policy file, and the key policy does not admit it",
                "compile the key policy from the file again, or remove the old release from the file",
            )


def label(measurements: Measurements) -> str:
    """The tuple's name, or the beginning of its PCR0."""
    return measurements.name or f"PCR0 {measurements.pcrs[0].hex()[:16]}…"


def compare(policy: Mapping[str, object], measurements: Sequence[Measurements]) -> Comparison:
    """Hold a parsed key policy against a file's tuples; one that cannot be read admits nothing here."""
    released = tuple(releases(policy))
    admitted = tuple(each for each in measurements if _releases_of(each, released))
    return Comparison(
        admitted=admitted,
        missed=tuple(each for each in measurements if each not in admitted),
        beyond=tuple(release for release in released if not any(_within(release, each) for each in measurements)),
        untimely=tuple(each for each in admitted if not _timely(each, released)),
    )


def releases(policy: Mapping[str, object]) -> Iterator[Release]:
    """What the policy's statements admit; of one with more than 256 combinations, only what all of them share."""
    try:
        statements = read_statements(policy)
    except UnreadableStatementError:
        return
    floors = [floor for statement in statements if (floor := floor_of(statement)) is not None]
    allowed = [(pcr, _compared(condition)) for pcr, condition in floors]
    for statement in statements:
        if statement.effect == "Allow" and statement.reaches("kms:decrypt"):
            for release in _combinations(statement):
                if all(pcr not in release.pcrs or release.pcrs[pcr].hex() in values for pcr, values in allowed):
                    yield release


def _combinations(statement: Statement) -> Iterator[Release]:
    alternatives: dict[int, set[bytes]] = {}
    for pcr, condition in pins(statement):
        if all(_MEASUREMENT.fullmatch(value) for value in condition.values):  # else a wildcard: it pins nothing
            values = {bytes.fromhex(value) for value in _compared(condition) if value == value.lower()}
            alternatives[pcr] = alternatives.get(pcr, values) & values
    if math.prod(len(values) for values in alternatives.values()) > MAX_COMBINATIONS:
        alternatives = {pcr: values for pcr, values in alternatives.items() if len(values) == 1}
    for chosen in product(*alternatives.values()):
        yield Release(statement.name, dict(zip(alternatives, chosen, strict=True)), _window(statement))


def _compared(condition: Condition) -> frozenset[str]:
    """The values as KMS compares them with its own, which are in lower case."""
    ignored = condition.operator.endswith("ignorecase")
    return frozenset(value.lower() if ignored else value for value in condition.values)


def _window(statement: Statement) -> frozenset[_Date]:
    dates = (condition for condition in statement.conditions if condition.operator.startswith("date"))
    return frozenset((condition.operator, condition.key, condition.values) for condition in dates)


def _releases_of(measurements: Measurements, released: Sequence[Release]) -> list[Release]:
    """Those that demand nothing which the tuple does not say."""
    return [each for each in released if each.pcrs.items() <= measurements.pcrs.items()]


def _within(release: Release, measurements: Measurements) -> bool:
    return measurements.pcrs.items() <= release.pcrs.items()


def _timely(measurements: Measurements, released: Sequence[Release]) -> bool:
    expected = frozenset(
        (operator.lower(), key.lower(), (value,))
        for operator, keys in window_conditions(measurements).items()
        for key, value in keys.items()
    )
    return all(release.window == expected for release in _releases_of(measurements, released))
