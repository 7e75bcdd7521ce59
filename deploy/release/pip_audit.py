"""pip-audit as a process of its own, and what it says, believed only where it names every package that it was given."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from deploy.release.errors import ReleaseError
from deploy.release.pins import Pin

_DEADLINE_S = 900.0
_REASON_CHARACTERS = 200


class NotAudited(ReleaseError):
    """pip-audit did not answer for every package."""

    def __init__(self, why: str) -> None:
        super().__init__(f"pip-audit: expected an answer for every package, got another end: {why}")


class Vulnerability(NamedTuple):
    """One that is known of a pinned version."""

    package: str
    version: str
    id: str
    mended_in: list[str]


def audited(pins: Sequence[Pin]) -> list[Vulnerability]:
    """What is known of these packages, each named once. Raises NotAudited unless all of them were."""
    with TemporaryDirectory() as folder:
        lock = Path(folder) / "requirements.txt"
        lock.write_text("".join(f"{pin.line()}\n" for pin in pins))
        run = _run(lock)
    try:
        answer = _answer(run.stdout)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise NotAudited(_last_line(run.stderr)) from None
    found = [vulnerability for known in answer.values() for vulnerability in known]
    if run.returncode != bool(found):
        raise NotAudited(f"expected exit code {int(bool(found))}, got {run.returncode}: {_last_line(run.stderr)}")
    if unnamed := {(pin.name, pin.version) for pin in pins} - answer.keys():
        raise NotAudited(f"nothing on {' '.join(min(unnamed))}")
    return found


def _run(lock: Path) -> subprocess.CompletedProcess[str]:
    command = ["pip-audit", "--strict", "--require-hashes", "--disable-pip", "--progress-spinner=off", "--format=json"]
    command += [f"--cache-dir={lock.parent / 'cache'}", f"--requirement={lock}"]
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=_DEADLINE_S, check=False)
    except (FileNotFoundError, PermissionError):
        raise ReleaseError("expected pip-audit on the PATH, found none; make audit installs it") from None
    except UnicodeDecodeError:
        raise NotAudited("expected text, got bytes that are none") from None
    except subprocess.TimeoutExpired:
        raise NotAudited(f"expected an end within {_DEADLINE_S:.0f} s, got none") from None


def _answer(text: str) -> dict[tuple[str, str], list[Vulnerability]]:
    """What is known, by name and version of what was audited."""
    packages = [each for each in json.loads(text)["dependencies"] if "skip_reason" not in each]
    return {
        (each["name"], each["version"]): [
            Vulnerability(each["name"], each["version"], known["id"], known["fix_versions"]) for known in each["vulns"]
        ]
        for each in packages
    }


def _last_line(text: str) -> str:
    lines = text.strip().splitlines() or ["it said nothing"]
    return lines[-1].removeprefix("ERROR:pip_audit._cli:")[:_REASON_CHARACTERS]
