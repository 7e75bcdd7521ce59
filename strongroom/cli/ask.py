"""`strongroom chat`, `embed`, `infer`: sealed requests from the command line."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from strongroom.cli.answer_output import to_json
from strongroom.cli.connection import client_options
from strongroom.cli.failures import CommandFailed
from strongroom.cli.files import read_bounded, read_text, write_private
from strongroom.cli.output import json_option

if TYPE_CHECKING:
    from strongroom.client import Client
    from strongroom.client.proofs import Proven

_PROOF = click.option(
    "--proof", type=click.Path(dir_okay=False, path_type=Path), help="Keep the proof bundle, contents shown, in a file."
)
_MODEL = click.option("--model", help="Model id; needed when several serve the task.")
_MAX_TENSOR_FILE_BYTES = 4 << 20
_MAX_PROMPT_BYTES = 256 << 10  # what the longest text of the protocol can take in UTF-8


@click.command()
@click.argument("prompt")
@_MODEL
@click.option("--max-tokens", type=click.IntRange(1), default=256, show_default=True)
@click.option("--temperature", type=click.FloatRange(0, 2), default=0.0, show_default=True)
@click.option("--seed", type=click.IntRange(0), help="Makes sampling repeatable.")
@_PROOF
@json_option
@client_options
def chat(
    prompt: str,
    model: str | None,
    max_tokens: int,
    temperature: float,
    seed: int | None,
    proof: Path | None,
    as_json: bool,
    client: "Client",
) -> None:
    """Send PROMPT sealed (or standard input, for -) and print the answer as it comes.

    \b
    Example:  strongroom chat --url https://gateway.example --policy policy.toml "What is a strongroom?"
    """
    text = read_text(_MAX_PROMPT_BYTES) if prompt == "-" else prompt
    stream = client.chat(text, model=model, stream=True, max_tokens=max_tokens, temperature=temperature, seed=seed)
    for piece in stream:
        if not as_json:
            click.echo(piece, nl=False)
    answer = stream.answer
    if as_json:
        click.echo(to_json(answer))
    else:
        click.echo()
    _keep_proof(answer, proof)


@click.command()
@click.argument("texts", nargs=-1, required=True)
@_MODEL
@_PROOF
@json_option
@client_options
def embed(texts: tuple[str, ...], model: str | None, proof: Path | None, as_json: bool, client: "Client") -> None:
    """Print one vector per text.

    \b
    Example:  strongroom embed --url https://gateway.example --policy policy.toml "first text" "second text"
    """
    vectors = client.embed(list(texts), model=model)
    _keep_proof(vectors, proof)
    if as_json:
        click.echo(to_json(vectors))
        return
    for text, vector in zip(texts, vectors, strict=True):
        head = " ".join(f"{value:+.4f}" for value in vector[:4])
        click.echo(f"{head} … ({len(vector)} dimensions)  {text}")


@click.command()
@click.argument("tensors", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@_MODEL
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write the outputs to this file.")
@_PROOF
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
    _keep_proof(outputs, proof)
    if out is not None:
        write_private(out, msgspec.json.encode(outputs))
    if as_json:
        click.echo(to_json(outputs))
    elif out is None:
        for name, tensor in outputs.items():
            click.echo(f"{name}  {tensor.dtype}{tensor.shape}  {len(tensor.data)} bytes")


def _keep_proof(answer: "Proven", file: Path | None) -> None:
    if file is not None:
        write_private(file, answer.proof())
