"""`strongroom deployment`: the measured configuration, before anything runs."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from strongroom.cli.files import read_bounded
from strongroom.cli.output import json_option, print_json, print_table

if TYPE_CHECKING:
    from strongroom.protocol.configuration import DeploymentConfiguration

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group()
def deployment() -> None:
    """Write, check and measure a deployment configuration; its digest is what PCR17 will hold."""


@deployment.command("init")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--deployment", "name", required=True, help="Id of the deployment, for example acme-prod.")
@click.option("--key-arn", required=True, help="Full ARN of the KMS key that wraps the models' data keys.")
@click.option("--request-key-arn", help="Full ARN of the KMS key that wraps the data keys of requests that rest.")
@click.option("--tenant", required=True, help="Tenant, part of every encryption context.")
@click.option("--runtime-role", required=True, help="ARN of the parent instance's IAM role.")
@json_option
def init(
    file: Path,
    name: str,
    key_arn: str,
    request_key_arn: str | None,
    tenant: str,
    runtime_role: str,
    as_json: bool,
) -> None:
    """Write a configuration with one model key and the default limits to FILE, which must not exist.

    With --request-key-arn it has a key entry `requests` too, under which files are sealed (strongroom seal); that may
    be the models' key.

    \b
    Example:  strongroom deployment init deployment.toml --deployment acme-prod --tenant acme \\
                --key-arn arn:aws:kms:eu-west-1:111122223333:key/… \\
                --runtime-role arn:aws:iam::111122223333:role/strongroom-parent
    """
    from strongroom.documents import to_toml
    from strongroom.protocol.configuration import DeploymentConfiguration, KeyEntry, KMSSettings

    keys = [KeyEntry(id="models", purpose="model", tenant=tenant, arn=key_arn)]
    if request_key_arn is not None:
        keys.append(KeyEntry(id="requests", purpose="request", tenant=tenant, arn=request_key_arn))
    configuration = DeploymentConfiguration(
        version=1,
        deployment=name,
        description=f"Strongroom deployment {name}",
        key=keys,
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
    from msgspec import to_builtins

    from strongroom.protocol.configuration import DeploymentConfiguration

    configuration = DeploymentConfiguration.from_bytes(_read(file))
    if as_json:
        print_json(to_builtins(configuration))
    else:
        print_table(_rows(configuration))


@deployment.command("measure")
@click.argument("file", type=_FILE)
@json_option
def measure(file: Path, as_json: bool) -> None:
    """Print the PCR17 that an enclave will attest after it received exactly the bytes of FILE."""
    from strongroom.protocol.configuration import DeploymentConfiguration

    data = _read(file)
    DeploymentConfiguration.from_bytes(data)
    _print_measurement(file, data, as_json)


def _rows(configuration: "DeploymentConfiguration") -> Iterator[tuple[str, str]]:
    from msgspec import to_builtins

    yield "deployment", f"{configuration.deployment}  {configuration.description}"
    for key in configuration.key:
        context = {**key.context, "purpose": key.purpose, "tenant": key.tenant}
        pairs = ", ".join(f"{name}={value}" for name, value in context.items())
        yield f"key {key.id}", f"{key.arn}  with {pairs}"
    kms = configuration.kms
    yield "parent's role", kms.runtime_role
    endpoints, roots = "FIPS" if kms.fips else "standard", "its own" if kms.ca_pem else "Amazon's"
    leg = "classical TLS allowed" if kms.classical else "post-quantum TLS where OpenSSL can"
    yield "KMS", f"{endpoints} endpoints, {roots} roots, {leg}"
    for title, values in (("limits", configuration.limits), ("windows", configuration.windows)):
        yield title, ", ".join(f"{name} {value}" for name, value in to_builtins(values).items())


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
