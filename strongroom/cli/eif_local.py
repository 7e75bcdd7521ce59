"""`strongroom eif local` and `eif reproduce`: the image of this checkout, built without docker and nitro-cli."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from strongroom.cli.eif_reading import EXISTING_FILE
from strongroom.cli.failures import EXIT_FAILED
from strongroom.cli.files import read_bounded
from strongroom.cli.output import json_option, print_json, print_table
from strongroom.cli.readable import escaped, pcr_rows

if TYPE_CHECKING:
    from strongroom.image.folders import Folders
    from strongroom.image.local import LocalImage
    from strongroom.image.record import Record
    from strongroom.image.reproduction import Reproduction

NOTE = "the measurements of our local image, never those of nitro-cli's: it has another kernel and first process"
_MIB = 2**20
_MEMORY_FACTOR = 4  # nitro-cli's rule
_output_option = click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(".image"),
    show_default=True,
    help="Folder for the image, its packages.json and a cache.",
)
_record_option = click.option("--record", type=EXISTING_FILE, help="A packages.json: build from just these packages.")


@click.command()
@_output_option
@_record_option
@json_option
def local(output: Path, record: Path | None, as_json: bool) -> None:
    """Build the image of this checkout with mmdebstrap and buildah, from Debian's packages of today or of a record.

    Needs a checkout as working folder, and root, in a user namespace too. Exit 1: not built.

    \b
    Example:  strongroom eif local --record .image/packages.json
    """
    from strongroom.image.folders import Folders
    from strongroom.image.local import build

    folders = Folders(Path.cwd(), output.resolve())
    image = build(folders, _read(record), say=_say)
    if as_json:
        print_json(_summary(folders, image))
    else:
        print_table(_rows(folders, image))


@click.command()
@_output_option
@_record_option
@json_option
def reproduce(output: Path, record: Path | None, as_json: bool) -> int:
    """Build the image of this checkout twice, by and under what may not matter, and compare. Exit 1: they differ.

    \b
    Example:  strongroom eif reproduce --record .image/packages.json
    """
    from strongroom.image.folders import Folders
    from strongroom.image.reproduction import build_twice

    found = build_twice(Folders(Path.cwd(), output.resolve()), _read(record), _say)
    if as_json:
        print_json(_comparison(found))
    else:
        print_table(_compared(found))
    return 0 if found.equal else EXIT_FAILED


def _read(record: Path | None) -> "Record | None":
    from strongroom.image.record import MAX_RECORD_BYTES, Record

    return None if record is None else Record.from_bytes(read_bounded(record, MAX_RECORD_BYTES))


def _say(line: str) -> None:
    click.echo(f"… {escaped(line)}", err=True)


def _hex(pcrs: Mapping[int, bytes]) -> dict[str, str]:
    return {f"PCR{index}": value.hex() for index, value in sorted(pcrs.items())}


def _pcr_rows(pcrs: Mapping[int, bytes]) -> Iterable[tuple[str, str]]:
    return pcr_rows({str(index): value.hex() for index, value in sorted(pcrs.items())}, "enclave")


def _summary(folders: "Folders", image: "LocalImage") -> dict[str, object]:
    kinds = {kind: {"files": size.files, "bytes": size.bytes} for kind, size in sorted(image.sizes.items())}
    return {
        "eif": str(folders.eif),
        "eif_bytes": image.eif_bytes,
        "Measurements": _hex(image.pcrs),
        "note": NOTE,
        "source": None if image.record.source is None else msgspec.to_builtins(image.record.source),
        "content": kinds,
        "packages": {"debian": len(image.record.debian), "wheels": len(image.record.wheels)},
    }


def _rows(folders: "Folders", image: "LocalImage") -> list[tuple[str, str]]:
    memory_mib = -(-_MEMORY_FACTOR * image.eif_bytes // _MIB)
    kinds = [(kind, f"{size.bytes:>11,} bytes, {size.files} files") for kind, size in sorted(image.sizes.items())]
    packages = f"{len(image.record.debian)} of Debian, {len(image.record.wheels)} wheels: {folders.record}"
    return [
        ("EIF", str(folders.eif)),
        ("size", f"{image.eif_bytes:>11,} bytes; an enclave of it needs {memory_mib:,} MiB or more"),
        *kinds,
        ("packages", packages),
        ("source", escaped(str(image.record.source or "no git checkout"))),
        *_pcr_rows(image.pcrs),
        ("", NOTE),
    ]


def _comparison(found: "Reproduction") -> dict[str, object]:
    return {
        "reproducible": found.equal,
        "first_difference": found.difference,
        "conditions_again": found.conditions,
        "Measurements": _hex(found.pcrs),
        "MeasurementsAgain": _hex(found.pcrs_again),
        "note": NOTE,
    }


def _compared(found: "Reproduction") -> list[tuple[str, str]]:
    where = found.difference or "the EIF, though its parts are equal"
    verdict = "both builds are equal" if found.equal else f"they differ, first in {where}"
    again = ("again", found.conditions)
    return [*_pcr_rows(found.pcrs), again, *_pcr_rows(found.pcrs_again), ("verdict", verdict), ("", NOTE)]
