"""`strongroom simulator`: the software stand-ins for AWS, for development and tests."""

from pathlib import Path

import click

from strongroom.cli.output import json_option, print_json, print_table

_STATE = click.option(
    "--state", type=click.Path(file_okay=False, path_type=Path), required=True, help="State folder; made when missing."
)


@click.group()
def simulator() -> None:
    """Parts of the appliance in software. Nothing here proves anything about Nitro hardware."""


@simulator.command("kms")
@_STATE
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="0 picks a free port.")
@click.option("--tls", is_flag=True, help="Serve TLS under the state folder's own CA.")
def kms(state: Path, port: int, tls: bool) -> None:
    """Serve the dev KMS; prints one JSON line when it listens."""
    from strongroom.simulator.kms.server import serve

    serve(state, port, tls=tls)


@simulator.command("root")
@_STATE
@json_option
def root(state: Path, as_json: bool) -> None:
    """Print the state folder's root certificate (PEM): the trust anchor to give to --trust-anchor."""
    from attestation.anchors import SimulatedTrustAnchor
    from strongroom.simulator.pki import SimulatedPKI

    pem = SimulatedPKI.open(state).root_pem()
    if as_json:
        print_json({"pem": pem.decode(), "sha256": SimulatedTrustAnchor.from_pem(pem).sha256})
    else:
        click.echo(pem.decode(), nl=False)


@simulator.command("measure")
@json_option
def measure(as_json: bool) -> None:
    """Print PCR0 to PCR2 of the simulated image: they follow from the measured modules installed here."""
    from strongroom.simulator.image import image_pcrs

    values = {f"pcr{index}": value.hex() for index, value in image_pcrs().items()}
    if as_json:
        print_json({"simulated": True, **values})
    else:
        print_table([("image", "simulated; no EIF has these values"), *values.items()])
