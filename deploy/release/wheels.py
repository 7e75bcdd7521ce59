"""The wheels of the image: what `pip install --dry-run --report` says it would install there.

The report's format: packaging.python.org, installation report, version 1.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.release.errors import ReleaseError
from deploy.release.pins import Pin

_APPROVED = "License :: OSI Approved :: "


@dataclass(frozen=True)
class Wheel:
    """One file, and what its metadata say of its licence."""

    name: str
    version: str
    file_name: str
    sha256: str
    stated_licences: tuple[str, ...]
    """An SPDX expression or free text, the fields of a wheel's metadata in the order of their worth."""
    classified_licences: tuple[str, ...]
    """As the package index names them."""


def wheels_of(pins: Sequence[Pin], report: Path) -> list[Wheel]:
    """The wheel of each pin, by name. Raises ReleaseError unless the report has exactly these, with files of theirs."""
    try:
        wheels = {wheel.name: wheel for wheel in map(_read_wheel, json.loads(report.read_bytes())["install"])}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise _refused(report, "expected pip's installation report, got something else") from None
    if found := wheels.keys() ^ {pin.name for pin in pins}:
        raise _refused(
            report, f"expected a wheel for each pinned package and no other, got a difference in {min(found)}"
        )
    for pin in pins:
        wheel = wheels[pin.name]
        if wheel.version != pin.version or wheel.sha256 not in pin.sha256:
            raise _refused(report, f"{pin.name}: expected a file that is pinned, got another")
    return [wheels[name] for name in sorted(wheels)]


def _read_wheel(install: Mapping[str, Any]) -> Wheel:
    metadata, download = install["metadata"], install["download_info"]
    stated = (metadata.get("license_expression"), metadata.get("license"))
    classifiers = metadata.get("classifier", [])
    return Wheel(
        name=re.sub(r"[-_.]+", "-", metadata["name"]).lower(),
        version=metadata["version"],
        file_name=download["url"].rpartition("/")[2],
        sha256=download["archive_info"]["hashes"]["sha256"],
        stated_licences=tuple(filter(None, stated)),
        classified_licences=tuple(each.removeprefix(_APPROVED) for each in classifiers if each.startswith(_APPROVED)),
    )


def _refused(report: Path, message: str) -> ReleaseError:
    return ReleaseError(f"{report}: {message}; remove it, and make sbom writes it anew")
