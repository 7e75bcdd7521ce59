"""`strongroom eif from-docker`: nitro-cli builds, our reader measures, and nothing is kept unless both agree."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from strongroom.cli.eif_building import OUTPUT_FILE, print_image, require_another, signer_of
from strongroom.cli.eif_reading import EXISTING_FILE, progress_bar
from strongroom.cli.files import read_bounded
from strongroom.cli.output import json_option
from strongroom.cli.readable import escaped

if TYPE_CHECKING:
    from strongroom.image.nitro_cli import Signing

_NO_POLICY = "no file named; strongroom eif measure prints an entry"


@click.command("from-docker")
@click.option("--docker-uri", metavar="NAME", required=True, help="The docker image; with --base, what to call it.")
@click.option("--base", metavar="NAME@sha256:…", help="First build Dockerfile.enclave of the current folder on this.")
@click.option("--output", type=OUTPUT_FILE, required=True, help="The EIF to write; one that is there is replaced.")
@click.option("--signing-certificate", type=EXISTING_FILE, help="PEM; its first certificate is measured into PCR8.")
@click.option("--private-key", metavar="FILE|ARN", help="PEM of the certificate's EC key, or a KMS key that signs.")
@click.option(
    "--policy", type=click.Path(dir_okay=False, path_type=Path), help="Write the measurements into this policy file."
)
@click.option("--name", help="Of the policy file's entry; one of that name is replaced.  [default: --docker-uri]")
@click.option("--role", metavar="ARN", help="The parent instance's IAM role.  [default: what the entry already says]")
@click.option("--any-parent-role", is_flag=True, help="Trust the image under every parent's role, in every account.")
@json_option
def from_docker(
    docker_uri: str,
    base: str | None,
    output: Path,
    signing_certificate: Path | None,
    private_key: str | None,
    policy: Path | None,
    name: str | None,
    role: str | None,
    any_parent_role: bool,
    as_json: bool,
) -> None:
    """Have nitro-cli make an EIF of a docker image, measure it, and hold both answers against each other.

    With --policy the measurements replace those of the entry NAME: its PCR16, PCR17 and window stay, as do comments and
    other entries. What is wrong with that file, the base, key or certificate is said before anything is built.

    \b
    Example:  strongroom eif from-docker --docker-uri strongroom-enclave --base debian:trixie-slim@sha256:… \\
                --output strongroom.eif --policy policy.toml --name "release 1.4.0" \\
                --role arn:aws:iam::111122223333:role/strongroom-parent
    """
    from strongroom.image import nitro_cli, policy_entries
    from strongroom.image.draft import require_folder

    if role is not None and any_parent_role:
        raise click.UsageError("Expected --role ARN, which is safer, or --any-parent-role, not both.")
    entry = policy_entries.Entry(name or docker_uri, role, any_parent_role)
    signing, epoch = _signing(signing_certificate, private_key), os.environ.get("SOURCE_DATE_EPOCH") or None
    require_another(output, policy, signing_certificate, None if private_key is None else Path(private_key))
    require_folder(output)
    if policy is not None:
        policy_entries.check(policy, entry)
    if base is not None:
        nitro_cli.check_inputs(base, epoch)
    nitro_cli.require_tools()
    if base is not None:
        _say_source()
        nitro_cli.build_image(docker_uri, base, epoch)
    with progress_bar() as progress:
        image = nitro_cli.build_enclave(docker_uri, output, signing, progress)
    if policy is not None:
        policy_entries.write(policy, entry, image.pcrs)
    print_image(output, image, as_json, [("policy", f"{policy}, entry {entry.name}" if policy else _NO_POLICY)])


def _say_source() -> None:
    """On standard error, like all that a build says before its answer."""
    from strongroom.image.source import source_of

    source_of(Path.cwd(), lambda line: click.echo(escaped(f"… {line}"), err=True))


def _signing(certificate: Path | None, private_key: str | None) -> "Signing | None":
    """Both are checked here: nitro-cli would sign under a certificate that no enclave starts with.

    Whether a key in KMS is the certificate's, nitro-cli's signature tells.
    """
    from attestation.eif.measurements import certificate_pcr8
    from strongroom.image.nitro_cli import Signing
    from strongroom.image.signing import MAX_PEM_BYTES, check_certificate

    by_kms = private_key is not None and private_key.startswith("arn:")
    if not by_kms:
        signer_of(certificate, None if private_key is None else Path(private_key))
    elif certificate is None:
        raise click.UsageError("Expected --signing-certificate beside --private-key.")
    if certificate is None or private_key is None:
        return None
    pcr8 = certificate_pcr8(check_certificate(read_bounded(certificate, MAX_PEM_BYTES)).der)
    return Signing(certificate, private_key, pcr8)
