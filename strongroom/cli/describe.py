"""`strongroom describe`: what a model is, from inside the seal."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from strongroom.cli.answer_output import to_json
from strongroom.cli.asking import keep_proof, proof_option
from strongroom.cli.connection import client_options
from strongroom.cli.output import json_option, print_table
from strongroom.cli.readable import escaped

if TYPE_CHECKING:
    from strongroom.client import Client
    from strongroom.protocol.tensors import Port


@click.command()
@click.argument("model")
@proof_option
@json_option
@client_options
def describe(model: str, proof: Path | None, as_json: bool, client: "Client") -> None:
    """Ask the enclave what MODEL is: its version and task, and the tensors that `infer` takes and gives.

    In a shape, a name stands for any size, the same wherever it stands; ? is any size.

    \b
    Example:  strongroom describe --url https://gateway.example --policy policy.toml scores
    """
    described = client.describe(model)
    keep_proof(described, proof)
    if as_json:
        click.echo(to_json(described))
        return
    rows = [("model", model), ("version", described.version), ("task", described.task)]
    rows += [("input", _shown(port)) for port in described.inputs]
    rows += [("output", _shown(port)) for port in described.outputs]
    print_table(rows)


def _shown(port: "Port") -> str:
    sizes = ", ".join("?" if size is None else escaped(str(size)) for size in port.shape)
    return f"{escaped(port.name)}  {port.dtype} [{sizes}]"
