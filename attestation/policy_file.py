"""The policy file: TOML with one ``[[measurement]]`` table per acceptable tuple.

    [[measurement]]
    name = "release 1.4.0"
    pcr0 = "<96 hexadecimal digits>"        # likewise pcr1, pcr2
    parent_role = "arn:aws:iam::111122223333:role/strongroom"   # or pcr3, or any_parent_role = true
    pcr16 = "…"                             # the model catalogue; any of pcr4 to pcr31
    pcr17 = "…"                             # the deployment configuration
    not_before = 2026-01-01T00:00:00Z       # optional, with a UTC offset
    not_after = 2026-06-30T00:00:00Z                            # this instant included

Releases N and N-1 are two tables, and a document must equal one of them whole. Editors check the file by its JSON
Schema (``attestation.policy_schema``); the same file compiles to the KMS key policy (``attestation.compiler``).
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Annotated

import msgspec

from attestation.errors import PolicyError
from attestation.measurements import PARENT_ROLE_PCR, parent_role_pcr3
from attestation.policy import AnyOf, Measurements, Policy

MAX_POLICY_FILE_BYTES = 256 * 1024
MAX_TABLES = 64
MAX_DOTS = 4096  # TOML readers keep every beginning of a dotted key: 4,096 parts take 64 MiB, 131,072 would take 64 GiB
PCR_KEY_PATTERN = r"pcr(0|[1-9]|[12][0-9]|3[01])"
DIGEST_PATTERN = r"[0-9a-fA-F]{96}"

_PCR_KEY = re.compile(PCR_KEY_PATTERN)
_DIGEST = re.compile(DIGEST_PATTERN)
_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
_MILLISECOND = timedelta(milliseconds=1)

_Instant = Annotated[datetime, msgspec.Meta(tz=True)]


class _File(msgspec.Struct, forbid_unknown_fields=True):
    measurement: Annotated[list[dict[str, object]], msgspec.Meta(min_length=1, max_length=MAX_TABLES)]


class _Table(msgspec.Struct, forbid_unknown_fields=True):
    pcrs: dict[str, str]
    name: str = ""
    parent_role: str | None = None
    any_parent_role: bool = False
    not_before: _Instant | None = None
    not_after: _Instant | None = None


def load_policy(data: bytes) -> Policy:
    """A policy that accepts any one of the file's tuples. Raises PolicyError."""
    return AnyOf(load_measurements(data))


def load_measurements(data: bytes) -> tuple[Measurements, ...]:
    """The file's tuples, 1 to 64, in order. Raises PolicyError."""
    if len(data) > MAX_POLICY_FILE_BYTES:
        raise PolicyError(f"expected at most {MAX_POLICY_FILE_BYTES} bytes, got {len(data)}")
    if (dots := data.count(b".")) > MAX_DOTS:
        raise PolicyError(f"expected at most {MAX_DOTS} dots, names and comments included, got {dots}")
    try:
        file = msgspec.convert(tomllib.loads(data.decode("utf-8")), _File)
    except msgspec.ValidationError as error:
        raise PolicyError(f"policy file: {error}") from None
    except (ValueError, RecursionError):
        raise PolicyError("expected a policy file in TOML and UTF-8, got something else") from None
    return tuple(_loaded(number, table) for number, table in enumerate(file.measurement, 1))


def dump_measurements(measurements: Iterable[Measurements]) -> str:
    """The policy file that ``load_measurements`` reads back as these tuples."""
    return "\n".join(_table_text(tuple_) for tuple_ in measurements)


def _loaded(number: int, table: dict[str, object]) -> Measurements:
    try:  # a datetime is built in: TOML has its own, and text that looks like one stays text
        return _measurements(msgspec.convert(_grouped(table), _Table, builtin_types=(datetime,)))
    except (PolicyError, msgspec.ValidationError) as error:
        raise PolicyError(f"policy file, measurement {number}: {error}") from None


def _grouped(table: dict[str, object]) -> dict[str, object]:
    """Move the ``pcr<n>`` keys under ``pcrs``; a ``pcrs`` of the file's own stays unknown."""
    pcrs = {key: value for key, value in table.items() if _PCR_KEY.fullmatch(key)}
    others = {key: value for key, value in table.items() if key not in pcrs}
    if "pcrs" in others:
        raise PolicyError("expected keys pcr0 to pcr31, got pcrs")
    return {**others, "pcrs": pcrs}


def _measurements(table: _Table) -> Measurements:
    if bad := [key for key, value in table.pcrs.items() if not _DIGEST.fullmatch(value)]:
        raise PolicyError(f"expected 96 hexadecimal digits for {bad[0]}, got something else")
    pcrs = {int(key.removeprefix("pcr")): bytes.fromhex(value) for key, value in table.pcrs.items()}
    if table.parent_role is not None:
        if PARENT_ROLE_PCR in pcrs:
            raise PolicyError("expected pcr3 or parent_role, got both")
        pcrs[PARENT_ROLE_PCR] = parent_role_pcr3(table.parent_role)
    return Measurements(
        pcrs,
        table.name,
        _milliseconds(table.not_before),
        _milliseconds(table.not_after),
        any_parent_role=table.any_parent_role,
    )


def _milliseconds(instant: datetime | None) -> int | None:
    return None if instant is None else (instant - _EPOCH) // _MILLISECOND


def _table_text(measurements: Measurements) -> str:
    lines = ["[[measurement]]"]
    if measurements.name:
        lines.append(f'name = "{measurements.name}"')
    lines += [f'pcr{index} = "{value.hex()}"' for index, value in measurements.pcrs.items()]
    if measurements.any_parent_role:
        lines.append("any_parent_role = true")
    for key, at_ms in (("not_before", measurements.not_before_ms), ("not_after", measurements.not_after_ms)):
        if at_ms is not None:
            instant = _EPOCH + at_ms * _MILLISECOND
            lines.append(f"{key} = {instant.isoformat(timespec='milliseconds')}")
    return "\n".join(lines) + "\n"
