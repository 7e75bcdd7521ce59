"""`strongroom model inspect` and `unseal-check`: what a package or a sealed model is, before an enclave gets it."""

from pathlib import Path

import click

from strongroom.cli.data_keys import decrypt_data_key, endpoint_options
from strongroom.cli.files import read_bounded
from strongroom.cli.model_report import ModelReport
from strongroom.cli.output import json_option, print_json, print_table

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_PATH = click.Path(exists=True, path_type=Path)


@click.command("inspect")
@click.argument("model", type=_PATH)
@click.option("--probe", is_flag=True, help="Also load and run the graph once, in a child under limits.")
@json_option
def inspect(model: Path, probe: bool, as_json: bool) -> int:
    """Show what MODEL is: a package's folder, or a sealed file, of which only the head can be read.

    Of a package, every file is checked against the manifest, and the graph is scanned by the enclave's own rules: what
    is refused here cannot boot. Nothing is loaded or run without --probe.

    Exit 0 accepted, 1 refused or damaged, 2 wrong usage.

    \b
    Examples:
      strongroom model inspect .models/smollm2-135m
      strongroom model inspect some-package --probe --json
    """
    if not model.is_dir():
        if probe:
            raise click.UsageError("expected a package's folder beside --probe, got a file: what is sealed is not run.")
        return _print_head(model, as_json)
    from strongroom.models.package import load_package
    from strongroom.protocol.catalogue import manifest_digest

    data, manifest, paths = load_package(model)
    files = {name: path.read_bytes() for name, path in paths.items()}
    report = ModelReport.of(manifest, manifest_digest(data), files, run=probe)
    return report.print({"folder": str(model)}, as_json)


@click.command("unseal-check")
@click.argument("sealed", type=_FILE)
@click.option("--configuration", type=_FILE, required=True, help="The deployment configuration.")
@click.option("--catalogue", "catalogue_file", type=_FILE, required=True, help="The catalogue that names the model.")
@endpoint_options
@json_option
def unseal_check(
    sealed: Path,
    configuration: Path,
    catalogue_file: Path,
    endpoint_url: str | None,
    ca_bundle: Path | None,
    as_json: bool,
) -> int:
    """Open SEALED as an enclave will, every chunk and every digest, and scan its graph; nothing is written.

    Its data key comes from kms:Decrypt with your own AWS credentials. Once the key's compiled policy is in place KMS
    refuses you as it refuses everybody but the enclave: check before that, or with `seal --check`.

    Exit 0 it opens under this configuration and catalogue and its graph is accepted by the scan, 1 it does not, is not,
    or KMS refuses, 2 wrong usage.

    \b
    Example:  strongroom model unseal-check sealed/smollm2-135m.sealed --configuration deployment.toml \\
                --catalogue catalogue.toml
    """
    from strongroom.models.unseal import SealedModel, unseal
    from strongroom.protocol.catalogue import Catalogue
    from strongroom.protocol.configuration import DeploymentConfiguration
    from strongroom.protocol.constants import MAX_CATALOGUE_BYTES, MAX_CONFIGURATION_BYTES

    catalogue = Catalogue.from_bytes(read_bounded(catalogue_file, MAX_CATALOGUE_BYTES))
    model = SealedModel.at(sealed)
    manifest, files = unseal(
        model,
        configuration=DeploymentConfiguration.from_bytes(read_bounded(configuration, MAX_CONFIGURATION_BYTES)),
        catalogue=catalogue,
        open_key=lambda arn, context, wrapped: decrypt_data_key(arn, context, wrapped, endpoint_url, ca_bundle),
    )
    digest = next(entry.manifest_sha384 for entry in catalogue.model if entry.id == manifest.id)
    report = ModelReport.of(manifest, digest, files, run=False)
    return report.print({"file": str(sealed), "chunks_opened": model.head.chunks}, as_json)


def _print_head(path: Path, as_json: bool) -> int:
    from strongroom.models.unseal import SealedModel

    head = SealedModel.at(path).head
    sizes = {"plaintext_bytes": head.plaintext_bytes, "chunks": head.chunks, "wrapped_key_bytes": len(head.wrapped_key)}
    note = "by its head alone, which anybody can write; unseal-check opens it"
    if as_json:
        said = {"verified": False, "warning": f"UNVERIFIED: {note}", "file": str(path), "sealed": True}
        print_json({**said, "id": head.model, "version": head.version, **sizes})
        return 0
    rows = [(name.replace("_", " "), str(size)) for name, size in sizes.items()]
    print_table([("sealed model", f"{head.model} {head.version}"), *rows, ("UNVERIFIED", note)])
    return 0
