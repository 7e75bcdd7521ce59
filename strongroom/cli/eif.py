"""`strongroom eif`: what an enclave image file holds and measures, without nitro-cli."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from strongroom.cli.eif_building import build, sign
from strongroom.cli.eif_docker import from_docker
from strongroom.cli.eif_local import local, reproduce
from strongroom.cli.eif_reading import EXISTING_FILE, read_eif
from strongroom.cli.failures import EXIT_USAGE, CommandFailed
from strongroom.cli.output import json_option, print_json, print_table
from strongroom.cli.readable import escaped, pcr_rows

if TYPE_CHECKING:
    from attestation.eif.reader import EIF

_ANY_PARENT_ROLE = "any_parent_role = true\n"
_ROLE_TO_ADD = '# parent_role = "arn:aws:iam::…:role/…"  add it; only any_parent_role = true does without\n'


@click.group()
def eif() -> None:
    """Build, sign, describe and measure enclave image files (EIF)."""


eif.add_command(build)
eif.add_command(sign)
eif.add_command(from_docker)
eif.add_command(local)
eif.add_command(reproduce)


@eif.command()
@click.argument("file", type=EXISTING_FILE)
@json_option
def describe(file: Path, as_json: bool) -> None:
    """Print what `nitro-cli describe-eif` prints of FILE, computed here; with --json, its keys in its order.

    A CRC that differs and a signature that does not hold are findings, not failures. Exit 1: no well-formed EIF.

    \b
    Example:  strongroom eif describe strongroom.eif --json
    """
    from attestation.eif.description import describe_eif

    image = read_eif(file)
    if as_json:
        print_json(describe_eif(image))
    else:
        print_table(_rows(image))


@eif.command()
@click.argument("file", type=EXISTING_FILE)
@click.option("--name", default="", help="Name of the entry, for example of the release.")
@click.option("--role", help="ARN of the parent instance's IAM role; PCR3 measures it.")
@click.option("--any-parent-role", is_flag=True, help="Trust the image under every parent's role, in every account.")
@json_option
def measure(file: Path, name: str, role: str | None, any_parent_role: bool, as_json: bool) -> None:
    """Print the measurements of FILE as an entry of a policy file. Exit 1: no sound EIF; 2: no application in it.

    An image does not say under which parent it will run: without --role, that line is left for you to add.

    \b
    Example:  strongroom eif measure strongroom.eif --name "release 1.4.0" \\
                --role arn:aws:iam::111122223333:role/strongroom-parent >> policy.toml
    """
    import tomllib

    from attestation.measurements import PARENT_ROLE_PCR, parent_role_pcr3
    from attestation.policy import Measurements
    from attestation.policy_file import dump_measurements

    if role is not None and any_parent_role:
        advice = "expected either --role ARN, which is safer, or --any-parent-role: anybody can run a public image"
        raise CommandFailed("usage", advice, EXIT_USAGE)
    parent = {} if role is None else {PARENT_ROLE_PCR: parent_role_pcr3(role)}
    image = read_eif(file)
    image.require_sound()
    entry = dump_measurements([Measurements({**image.pcrs, **parent}, name, any_parent_role=role is None)])
    if role is None and not any_parent_role:
        entry = entry.replace(_ANY_PARENT_ROLE, _ROLE_TO_ADD)
    if as_json:
        print_json(tomllib.loads(entry)["measurement"][0])
    else:
        click.echo(entry, nl=False)


def _rows(image: "EIF") -> Iterable[tuple[str, str]]:
    from attestation.measurements import EMPTY_APPLICATION_PCR2

    yield "EIF", f"version {image.version}, {image.architecture}"
    yield from pcr_rows({str(index): value.hex() for index, value in image.pcrs.items()}, "enclave")
    if image.pcrs[2] == EMPTY_APPLICATION_PCR2:
        yield "", "PCR2 measures no application: there is one ramdisk only, or the others are empty"
    yield "CRC", "matches" if image.crc_matches else "DIFFERS: the file is damaged"
    yield from _signature_rows(image)
    yield from _metadata_rows(image)


def _signature_rows(image: "EIF") -> Iterable[tuple[str, str]]:
    if image.signature is None:
        yield "signature", "none"
        return
    certificate = image.signature.certificate
    yield "signature", "holds" if image.signature_holds else "DOES NOT HOLD for this PCR0 and certificate"
    yield "issuer", escaped(", ".join(f"{name}={value}" for name, value in certificate.issuer_name.items()))
    yield "validity", f"{certificate.not_before} to {certificate.not_after} (not checked here)"


def _metadata_rows(image: "EIF") -> Iterable[tuple[str, str]]:
    if image.metadata is None:
        return
    build = image.metadata.build_metadata
    yield "image", escaped(f"{image.metadata.image_name} {image.metadata.image_version}")
    yield "built", escaped(f"{build.build_time} by {build.build_tool} {build.build_tool_version}")
    yield "kernel", escaped(f"{build.operating_system} {build.kernel_version}")
    yield "", "image, built and kernel are not measured; Docker's and custom metadata: see --json"
