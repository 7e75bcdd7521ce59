"""Hold every pinned package against the known vulnerabilities, with pip-audit.

    python -m deploy.release.audit LOCK… [--json]

A package is audited in each version that some lock file pins, for whatever platform. One that pip-audit could not
audit, or does not name, is a failure, and so is a service that cannot be reached or that does not know of an old
release what everybody knows: no answer is not a good answer.

Exit 0 when every package was audited and none is known to be vulnerable; 1 otherwise, 2 for unusable arguments.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable
from pathlib import Path

from deploy.release.errors import ReleaseError
from deploy.release.pins import Pin, read_pins
from deploy.release.pip_audit import NotAudited, Vulnerability, audited

_KNOWN_BAD = Pin("urllib3", "1.24.1", frozenset({"0" * 64}))  # PYSEC-2019-132, -133; nothing of it is fetched


def main() -> int:
    """Audit and print what was found; the exit code."""
    parser = argparse.ArgumentParser(description="Audit the packages that lock files pin.")
    parser.add_argument("locks", type=Path, nargs="+", metavar="LOCK", help="a lock file with hashes")
    parser.add_argument("--json", action="store_true", help="one line instead of a table")
    arguments = parser.parse_args()
    try:
        pins = _distinct(pin for lock in arguments.locks for pin in read_pins(lock))
        _require_knowledge()
        found = [vulnerability for part in _rounds(pins) for vulnerability in audited(part)]
    except ReleaseError as error:
        return _failed(str(error), arguments.json)
    print(_json(len(pins), found) if arguments.json else _table(len(pins), found))
    return 1 if found else 0


def _require_knowledge() -> None:
    """A service that is not there must not pass for one that knows of nothing, nor a mirror without vulnerabilities."""
    expected = f"vulnerability service: expected what is known of {_KNOWN_BAD.name} {_KNOWN_BAD.version}, a probe"
    try:
        known = audited([_KNOWN_BAD])
    except NotAudited as error:
        raise ReleaseError(f"{expected}, got no answer, so nothing can be audited and released: {error}") from None
    if not known:
        raise ReleaseError(f"{expected}, got nothing: it is not to be relied on; ask from a place that reaches another")


def _distinct(pins: Iterable[Pin]) -> list[Pin]:
    """One pin for each package and version, with the files that all lock files accept together."""
    files: dict[tuple[str, str], frozenset[str]] = {}
    for pin in pins:
        files[pin.name, pin.version] = files.get((pin.name, pin.version), frozenset()) | pin.sha256
    return [Pin(name, version, sha256) for (name, version), sha256 in sorted(files.items())]


def _rounds(pins: Iterable[Pin]) -> list[list[Pin]]:
    """pip-audit takes one version of a package at a time: each round has a package at most once."""
    rounds: list[dict[str, Pin]] = []
    for pin in pins:
        free = next((each for each in rounds if pin.name not in each), None)
        if free is None:
            rounds.append(free := {})
        free[pin.name] = pin
    return [list(each.values()) for each in rounds]


def _failed(why: str, as_json: bool) -> int:
    if as_json:
        print(json.dumps({"audited": None, "vulnerabilities": [], "error": why}))
    else:
        print(f"error: {why}", file=sys.stderr)
    return 1


def _json(audited_count: int, found: Iterable[Vulnerability]) -> str:
    return json.dumps({"audited": audited_count, "vulnerabilities": [each._asdict() for each in found], "error": None})


def _table(audited_count: int, found: list[Vulnerability]) -> str:
    rows = [f"{each.package} {each.version}  {each.id}  {_cure(each)}" for each in found]
    return "\n".join([*rows, f"{audited_count} packages audited, {len(found)} known vulnerabilities"])


def _cure(found: Vulnerability) -> str:
    return f"mended in {', '.join(found.mended_in)}" if found.mended_in else "no release mends it"


if __name__ == "__main__":
    sys.exit(main())
