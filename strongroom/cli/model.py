"""`strongroom model`: from published weights to sealed packages."""

from pathlib import Path

import click

from strongroom.cli.data_keys import endpoint_options, generate_data_key
from strongroom.cli.files import read_bounded
from strongroom.cli.model_build import build
from strongroom.cli.model_inspect import inspect, unseal_check
from strongroom.cli.output import json_option, print_json, print_table

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.group()
def model() -> None:
    """Build, catalogue and seal models; the catalogue's digest is what PCR16 will hold."""


for command in (build, inspect, unseal_check):
    model.add_command(command)


@model.command("list")
@json_option
def list_(as_json: bool) -> None:
    """List the models that `model build` knows."""
    from strongroom.models.recipes import RECIPES

    rows = {
        name: f"{recipe.licence}, from {recipe.wheel.distribution} {recipe.wheel.version}"
        for name, recipe in RECIPES.items()
    }
    if as_json:
        print_json({"models": rows})
    else:
        print_table(rows.items())


@model.command("catalogue")
@click.argument("packages", nargs=-1, required=True, type=_FOLDER)
@click.option("--key", default="models", show_default=True, help="Key entry of the configuration that opens them.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), required=True, help="Catalogue file to write.")
@json_option
def catalogue(packages: tuple[Path, ...], key: str, out: Path, as_json: bool) -> None:
    """Write the catalogue of PACKAGES and print the PCR16 it gives.

    \b
    Example:  strongroom model catalogue .models/smollm2-135m --out catalogue.toml
    """
    from attestation.measurements import catalogue_pcr16
    from strongroom.documents import to_toml
    from strongroom.models.seal import catalogue_of
    from strongroom.protocol.catalogue import Catalogue

    listed = catalogue_of(list(packages), key)
    data = to_toml(listed)
    Catalogue.from_bytes(data)  # what the enclave would refuse is not written
    out.write_bytes(data)
    value = catalogue_pcr16(data).hex()
    if as_json:
        print_json({"file": str(out), "models": [entry.id for entry in listed.model], "pcr16": value})
    else:
        print_table([*((entry.id, entry.manifest_sha384) for entry in listed.model), ("PCR16", value)])


@model.command("seal")
@click.argument("package", type=_FOLDER)
@click.option("--configuration", type=_FILE, required=True, help="The deployment configuration.")
@click.option("--catalogue", "catalogue_file", type=_FILE, required=True, help="The catalogue that names the model.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), required=True, help="Folder for MODEL.sealed.")
@click.option("--check", is_flag=True, help="Open what was written, as an enclave will, before it gets its name.")
@endpoint_options
@json_option
def seal(
    package: Path,
    configuration: Path,
    catalogue_file: Path,
    out: Path,
    check: bool,
    endpoint_url: str | None,
    ca_bundle: Path | None,
    as_json: bool,
) -> None:
    """Encrypt PACKAGE under a fresh KMS data key (kms:GenerateDataKey, with your own AWS credentials).

    \b
    Example:  strongroom model seal .models/smollm2-135m --configuration deployment.toml \\
                --catalogue catalogue.toml --out sealed/
    """
    from strongroom.models.seal import seal_package
    from strongroom.protocol.catalogue import Catalogue
    from strongroom.protocol.configuration import DeploymentConfiguration
    from strongroom.protocol.constants import MAX_CATALOGUE_BYTES, MAX_CONFIGURATION_BYTES

    path = seal_package(
        package,
        out,
        configuration=DeploymentConfiguration.from_bytes(read_bounded(configuration, MAX_CONFIGURATION_BYTES)),
        catalogue=Catalogue.from_bytes(read_bounded(catalogue_file, MAX_CATALOGUE_BYTES)),
        make_key=lambda arn, context: generate_data_key(arn, context, endpoint_url, ca_bundle),
        check=check,
    )
    if as_json:
        print_json({"file": str(path), "size_bytes": path.stat().st_size})
    else:
        print_table([(path.name, f"{path.stat().st_size} bytes in {path.parent}")])
