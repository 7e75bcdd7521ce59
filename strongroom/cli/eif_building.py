"""`strongroom eif build` and `eif sign`: an image from its sections, and a signature on one that is there."""

import os
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from strongroom.cli.eif_reading import EXISTING_FILE, progress_bar, require_regular
from strongroom.cli.failures import EXIT_USAGE, CommandFailed
from strongroom.cli.files import read_bounded
from strongroom.cli.output import json_option, print_json, print_table
from strongroom.cli.readable import pcr_rows

if TYPE_CHECKING:
    from attestation.eif.metadata import Metadata
    from attestation.eif.reader import EIF
    from strongroom.image.signing import Signer

MAX_INSTANT_S = 253_402_300_799  # the last of the year 9999
OUTPUT_FILE = click.Path(dir_okay=False, path_type=Path)
_FULL_NAMES = {"x86_64": "x86_64", "aarch64": "aarch64", "arm64": "aarch64"}


@click.command()
@click.option("--kernel", type=EXISTING_FILE, required=True, help="bzImage on x86_64, uncompressed Image on aarch64.")
@click.option("--cmdline", metavar="TEXT", required=True, help="The kernel's command line, for example console=ttyS0.")
@click.option(
    "--ramdisk", "ramdisks", type=EXISTING_FILE, multiple=True, required=True, help="cpio; repeat, in boot order."
)
@click.option("--output", type=OUTPUT_FILE, required=True, help="The EIF to write; one that is there is replaced.")
@click.option("--signing-certificate", type=EXISTING_FILE, help="PEM; its first certificate is measured into PCR8.")
@click.option("--private-key", type=EXISTING_FILE, help="PEM of the certificate's EC key, without a passphrase.")
@click.option("--name", help="ImageName, not measured.  [default: the output's, without its ending]")
@click.option("--version", default="", help="ImageVersion, not measured.")
@click.option("--kernel-version", default="unknown", show_default=True, help="KernelVersion, not measured.")
@click.option("--arch", type=click.Choice(list(_FULL_NAMES)), default="x86_64", show_default=True)
@click.option(
    "--source-date-epoch",
    type=click.IntRange(0, MAX_INSTANT_S),
    envvar="SOURCE_DATE_EPOCH",
    help="BuildTime, in seconds since 1970.  [default: $SOURCE_DATE_EPOCH, else now]",
)
@json_option
def build(
    kernel: Path,
    cmdline: str,
    ramdisks: tuple[Path, ...],
    output: Path,
    signing_certificate: Path | None,
    private_key: Path | None,
    name: str | None,
    version: str,
    kernel_version: str,
    arch: str,
    source_date_epoch: int | None,
    as_json: bool,
) -> None:
    """Assemble an EIF and print its measurements; with --json, as `nitro-cli build-enclave` does.

    The same files give the same PCRs, and with the same --source-date-epoch the same bytes, signed or not. The first
    ramdisk boots and is measured into PCR1, the others are the application, measured into PCR2.

    \b
    Example:  strongroom eif build --kernel bzImage --cmdline "reboot=k panic=30 console=ttyS0" \\
                --ramdisk boot.cpio --ramdisk application.cpio --output strongroom.eif
    """
    from strongroom.image.eif import Sources, build_eif

    require_another(output, kernel, *ramdisks, signing_certificate, private_key)
    signer = signer_of(signing_certificate, private_key)
    for file in (kernel, *ramdisks):
        require_regular(file)
    metadata = _metadata(name or output.stem, version, kernel_version, _instant(source_date_epoch))
    sources = Sources(kernel, cmdline, ramdisks, metadata, _FULL_NAMES[arch])
    with progress_bar() as progress:
        image = build_eif(output, sources, signer, progress)
    print_image(output, image, as_json)


@click.command()
@click.argument("file", type=EXISTING_FILE)
@click.option("--signing-certificate", type=EXISTING_FILE, required=True, help="PEM; measured into PCR8.")
@click.option("--private-key", type=EXISTING_FILE, required=True, help="PEM of its EC key, without a passphrase.")
@click.option("--output", type=OUTPUT_FILE, help="Write there and leave FILE as it is.  [default: in FILE's place]")
@json_option
def sign(file: Path, signing_certificate: Path, private_key: Path, output: Path | None, as_json: bool) -> None:
    """Sign FILE, an EIF; a signature that it has is replaced. PCR0 to 2 stay, PCR8 measures the certificate.

    Exit 1: no sound EIF, or a certificate or key that nothing may be signed with.

    \b
    Example:  strongroom eif sign strongroom.eif --signing-certificate signer.pem --private-key signer-key.pem
    """
    from strongroom.image.eif import sign_eif

    require_another(output, signing_certificate, private_key)
    require_regular(file)
    signer = _read_signer(signing_certificate, private_key)
    with progress_bar() as progress:
        image = sign_eif(file, signer, output, progress)
    print_image(output or file, image, as_json)


def require_another(output: Path | None, *inputs: Path | None) -> None:
    """No input, a key above all, is lost to an output of its name. Raises CommandFailed."""
    for each in inputs:
        if output is not None and each is not None and os.path.realpath(each) == os.path.realpath(output):
            message = f"--output: expected another file than {each}, which is an input and would be replaced"
            raise CommandFailed("usage", message, EXIT_USAGE)


def signer_of(certificate: Path | None, private_key: Path | None) -> "Signer | None":
    """Of both files; None for neither. Raises UsageError for one alone, CommandFailed, SigningRefused, OSError."""
    if certificate is None and private_key is None:
        return None
    if certificate is None or private_key is None:
        raise click.UsageError("Expected both --signing-certificate and --private-key, or neither.")
    return _read_signer(certificate, private_key)


def _read_signer(certificate: Path, private_key: Path) -> "Signer":
    from strongroom.image.signing import MAX_PEM_BYTES, Signer

    return Signer.from_pem(read_bounded(certificate, MAX_PEM_BYTES), read_bounded(private_key, MAX_PEM_BYTES))


def _metadata(name: str, version: str, kernel_version: str, at: datetime) -> "Metadata":
    from importlib.metadata import version as version_of

    from attestation.eif.metadata import BuildMetadata, Metadata

    built = BuildMetadata(
        at.isoformat(timespec="seconds"), "strongroom", version_of("strongroom"), "Linux", kernel_version
    )
    return Metadata(name, version, built, docker_info=None, custom_metadata=None)


def _instant(seconds: int | None) -> datetime:
    return datetime.now(UTC) if seconds is None else datetime.fromtimestamp(seconds, UTC)


def print_image(file: Path, image: "EIF", as_json: bool, more: Iterable[tuple[str, str]] = ()) -> None:
    """An image's measurements: as `nitro-cli build-enclave` prints them, or a table that ends with `more`."""
    from attestation.eif.description import measurements

    if as_json:
        print_json({"Measurements": measurements(image)})
        return
    print_table(
        [
            ("EIF", f"{file}, version {image.version}, {image.architecture}"),
            *pcr_rows({str(index): value.hex() for index, value in image.pcrs.items()}, "enclave"),
            ("signature", "none" if image.signature is None else "holds"),
            *more,
        ]
    )
