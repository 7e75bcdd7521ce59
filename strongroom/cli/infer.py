"""`strongroom infer`: a tensor model from the command line."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from strongroom.cli.answer_output import to_json
from strongroom.cli.asking import keep_proof, model_option, proof_option
from strongroom.cli.connection import client_options
from strongroom.cli.failures import CommandFailed
from strongroom.cli.files import read_bounded, write_private
from strongroom.cli.output import json_option

if TYPE_CHECKING:
    from strongroom.client import Client

_MAX_TENSOR_FILE_BYTES = 4 << 20


@click.command()
@click.argument("tensors", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@model_option
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write the outputs to this file.")
@proof_option
@json_option
@client_options
def infer(
    tensors: Path, model: str | None, out: Path | None, proof: Path | None, as_json: bool, client: "Client"
) -> None:
    """Run a tensor model on the inputs in a JSON file: {"name": {"dtype": …, "shape": […], "data": "base64"}}.

    \b
    Example:  strongroom infer --url https://gateway.example --policy policy.toml --model scores inputs.json
    """
    import msgspec

    from strongroom.protocol.tensors import Tensor

    data = read_bounded(tensors, _MAX_TENSOR_FILE_BYTES)
    try:
        inputs = msgspec.json.decode(data, type=dict[str, Tensor])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise CommandFailed("invalid-tensor", f"{tensors}: {error}", 2) from None
    if model is None:
        raise CommandFailed("model-required", "expected --model with the id of a tensor model", 2)
    outputs = client.infer(model, inputs)
    keep_proof(outputs, proof)
    if out is not None:
        write_private(out, msgspec.json.encode(outputs))
    if as_json:
        click.echo(to_json(outputs))
    elif out is None:
        for name, tensor in outputs.items():
            click.echo(f"{name}  {tensor.dtype}{tensor.shape}  {len(tensor.data)} bytes")
