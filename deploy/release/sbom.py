"""What is in the image of ours and of other people's Python.

    python -m deploy.release.sbom LOCK REPORT [--output FILE]

REPORT is what pip would install in the image (`make sbom` asks it). Not in it: Debian's packages and the kernel.
The same lock file, wheels, modules and SOURCE_DATE_EPOCH give the same bytes on any machine.
"""

from __future__ import annotations

import argparse
import os
import sys
import tomllib
from datetime import UTC, datetime
from pathlib import Path

from deploy.release.document import document
from deploy.release.errors import ReleaseError
from deploy.release.pins import read_pins
from deploy.release.wheels import wheels_of
from strongroom.simulator.image import measured_sha384

_ROOT = Path(__file__).parents[2]


def main() -> int:
    """Write the document. Exit codes: 0; 1 with one line that says why there is none; 2 for unusable arguments."""
    parser = argparse.ArgumentParser(description="Write the SBOM of the enclave's image.")
    parser.add_argument("lock", type=Path, help="the image's lock file")
    parser.add_argument("report", type=Path, help="pip's installation report for it")
    parser.add_argument("--output", type=Path, metavar="FILE", help="standard output unless told")
    arguments = parser.parse_args()
    try:
        wheels = wheels_of(read_pins(arguments.lock), arguments.report)
        text = document(wheels, _version(), measured_sha384(), _source_date())
        _write(text, arguments.output)
    except ReleaseError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _version() -> str:
    version: str = tomllib.loads((_ROOT / "pyproject.toml").read_text())["project"]["version"]
    return version


def _source_date() -> datetime | None:
    """reproducible-builds.org, SOURCE_DATE_EPOCH."""
    text = os.environ.get("SOURCE_DATE_EPOCH", "")
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) <= 10):
        raise ReleaseError(f"SOURCE_DATE_EPOCH: expected seconds since 1970, got {text[:20]!r}")
    return datetime.fromtimestamp(int(text), UTC)


def _write(text: str, output: Path | None) -> None:
    if output is None:
        print(text, end="")
        return
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ReleaseError(f"{output}: expected a file that can be written ({error.strerror})") from None
    print(f"{output}: CycloneDX 1.6, valid by its schema")


if __name__ == "__main__":
    sys.exit(main())
