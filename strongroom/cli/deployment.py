"""`strongroom deployment`: the measured configuration, before anything runs."""

from pathlib import Path

import click

from strongroom.cli.files import read_bounded
from strongroom.cli.output import json_option, print_json, print_table

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group()
def deployment() -> None:
    """Write, check and measure a deployment configuration; its digest is what PCR17 will hold."""


@deployment.command("init")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--deployment", "name", required=True, help="Id of the deployment, for example acme-prod.")
@click.option("--key-arn", required=True, help="Full ARN of the KMS key that wraps the models' data keys.")
@click.option("--tenant", required=True, help="Tenant, part of every encryption context.")
@click.option("--runtime-role", required=True, help="ARN of the parent instance's IAM role.")
@json_option
def init(file: Path, name: str, key_arn: str, tenant: str, runtime_role: str, as_json: bool) -> None:
    """Write a configuration with one model key and the default limits to FILE, which must not exist.

    \b
    Example:  strongroom deployment init deployment.toml --deployment acme-prod --tenant acme \\
                --key-arn arn:aws:kms:eu-west-1:111122223333:key/… \\
                --runtime-role arn:aws:iam::111122223333:role/strongroom-parent
    """
    from strongroom.documents import to_toml
    from strongroom.protocol.configuration import DeploymentConfiguration, KeyEntry, KMSSettings

    configuration = DeploymentConfiguration(
        version=1,
        deployment=name,
        description=f"Strongroom deployment {name}",
        key=[KeyEntry(id="models", purpose="model", tenant=tenant, arn=key_arn)],
        kms=KMSSettings(runtime_role=runtime_role),
    )
    data = to_toml(configuration)
    DeploymentConfiguration.from_bytes(data)
    with file.open("xb") as output:
        output.write(data)
    _print_measurement(file, data, as_json)


@deployment.command("check")
@click.argument("file", type=_FILE)
@json_option
def check(file: Path, as_json: bool) -> None:
    """Say what FILE configures, or what is wrong with it."""
    from strongroom.protocol.configuration import DeploymentConfiguration

    configuration = DeploymentConfiguration.from_bytes(_read(file))
    keys = [{"id": entry.id, "purpose": entry.purpose, "arn": entry.arn} for entry in configuration.key]
    if as_json:
        print_json({"deployment": configuration.deployment, "keys": keys})
        return
    rows = [("deployment", configuration.deployment), ("description", configuration.description)]
    print_table([*rows, *((f"key {entry['id']}", f"{entry['purpose']}  {entry['arn']}") for entry in keys)])


@deployment.command("measure")
@click.argument("file", type=_FILE)
@json_option
def measure(file: Path, as_json: bool) -> None:
    """Print the PCR17 that an enclave will attest after it received exactly the bytes of FILE."""
    from strongroom.protocol.configuration import DeploymentConfiguration

    data = _read(file)
    DeploymentConfiguration.from_bytes(data)
    _print_measurement(file, data, as_json)


def _read(file: Path) -> bytes:
    from strongroom.protocol.constants import MAX_CONFIGURATION_BYTES

    return read_bounded(file, MAX_CONFIGURATION_BYTES)


def _print_measurement(file: Path, data: bytes, as_json: bool) -> None:
    """Of the bytes that were checked: a pipe can be read once, and a file can change."""
    from attestation.measurements import configuration_pcr17

    value = configuration_pcr17(data).hex()
    if as_json:
        print_json({"file": str(file), "pcr17": value})
    else:
        print_table([("PCR17", value)])
