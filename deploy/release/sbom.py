"""What is in the image: our modules, other people's Python, Debian's packages.

    python -m deploy.release.sbom LOCK REPORT [--record FILE] [--output FILE]

REPORT is what pip would install in the image (`make sbom` asks it). Debian's packages are those of a local build's
record; without one the document says that they are left out. It never holds the kernel, which is beside the image.
The same lock file, wheels, record, modules and SOURCE_DATE_EPOCH give the same bytes on any machine.
"""

from __future__ import annotations

import argparse
import os
import sys
import tomllib
from datetime import UTC, datetime
from pathlib import Path

from deploy.release.debs import debs_of, names_in
from deploy.release.document import Contents, document
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
    parser.add_argument("--record", type=Path, metavar="FILE", help="packages.json of make eif-local")
    parser.add_argument("--output", type=Path, metavar="FILE", help="standard output unless told")
    arguments = parser.parse_args()
    try:
        contents = _contents(arguments.lock, arguments.report, arguments.record)
        _write(document(contents, _source_date()), arguments.output)
        if contents.unrecorded:
            print(
                "note: without Debian's packages; make eif-local leaves a record of them, for --record", file=sys.stderr
            )
    except ReleaseError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _contents(lock: Path, report: Path, record: Path | None) -> Contents:
    wheels, names = wheels_of(read_pins(lock), report), names_in(_ROOT / "Dockerfile.enclave")
    debs = [] if record is None else debs_of(names, wheels, record)
    return Contents(_version(), measured_sha384(), wheels, debs, unrecorded=[] if debs else names)


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
