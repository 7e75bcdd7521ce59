"""`strongroom chat`, `complete`: generated text, printed as it comes."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from strongroom.cli.answer_output import to_json
from strongroom.cli.asking import keep_proof, model_option, proof_option
from strongroom.cli.connection import client_options
from strongroom.cli.files import read_text
from strongroom.cli.generation import generation_options
from strongroom.cli.output import json_option, print_table
from strongroom.cli.readable import escaped

if TYPE_CHECKING:
    from strongroom.client import Client
    from strongroom.client.answers import TextAnswer
    from strongroom.client.streams import TextStream
    from strongroom.client.tasks import GenerationOptions

_MAX_PROMPT_BYTES = 256 << 10  # what the longest text of the protocol can take in UTF-8


@click.command()
@click.argument("prompt")
@model_option
@generation_options
@proof_option
@json_option
@client_options
def chat(
    prompt: str,
    model: str | None,
    options: "GenerationOptions",
    proof: Path | None,
    as_json: bool,
    client: "Client",
) -> None:
    """Send PROMPT sealed (or standard input, for -) and print the answer as it comes.

    \b
    Example:  strongroom chat --url https://gateway.example --policy policy.toml "What is a strongroom?"
    """
    stream = client.chat(_text(prompt), model=model, stream=True, **options)
    keep_proof(_print(stream, as_json), proof)


@click.command()
@click.argument("prompt")
@model_option
@generation_options
@proof_option
@json_option
@client_options
def complete(
    prompt: str,
    model: str | None,
    options: "GenerationOptions",
    proof: Path | None,
    as_json: bool,
    client: "Client",
) -> None:
    """Continue PROMPT (or standard input, for -) as it is, without a chat template, sealed.

    \b
    Example:  strongroom complete --url https://gateway.example --policy policy.toml --stop . "A strongroom is"
    """
    stream = client.complete(_text(prompt), model=model, stream=True, **options)
    keep_proof(_print(stream, as_json), proof)


def _text(prompt: str) -> str:
    return read_text(_MAX_PROMPT_BYTES) if prompt == "-" else prompt


def _print(stream: "TextStream", as_json: bool) -> "TextAnswer":
    """Print the pieces as they come, or the whole as JSON; what is told of the tokens comes last."""
    for piece in stream:
        if not as_json:
            click.echo(piece, nl=False)
    answer = stream.answer
    if as_json:
        click.echo(to_json(answer))
    else:
        click.echo()
        print_table(_token_rows(answer))
    return answer


def _token_rows(answer: "TextAnswer") -> list[tuple[str, str]]:
    """A row for each token: its log probability, and its alternatives with theirs."""
    rows = []
    for each in answer.logprobs:
        others = (f"{_quoted(other.token)} {other.logprob:.3f}" for other in each.top)
        rows.append((_quoted(each.token), "  ".join([f"{each.logprob:.3f}", *others])))
    return rows


def _quoted(token: bytes) -> str:
    """In quotes, what is no text as escape sequences."""
    return f"'{escaped(token.decode('utf-8', 'backslashreplace'))}'"
