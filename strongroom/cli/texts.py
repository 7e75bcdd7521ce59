"""`strongroom embed`, `classify`, `tag`: what encoders say of texts."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from strongroom.cli.answer_output import to_json
from strongroom.cli.asking import keep_proof, model_option, proof_option
from strongroom.cli.connection import client_options
from strongroom.cli.output import json_option
from strongroom.cli.readable import escaped

if TYPE_CHECKING:
    from strongroom.client import Client
    from strongroom.client.answers import LabelScores, TextSpans, Vectors

_TEXTS = click.argument("texts", nargs=-1, required=True)


@click.command()
@_TEXTS
@model_option
@proof_option
@json_option
@client_options
def embed(texts: tuple[str, ...], model: str | None, proof: Path | None, as_json: bool, client: "Client") -> None:
    """Print one vector per text.

    \b
    Example:  strongroom embed --url https://gateway.example --policy policy.toml "first text" "second text"
    """
    vectors = client.embed(texts, model=model)
    heads = (" ".join(f"{value:+.4f}" for value in vector[:4]) for vector in vectors)
    lines = (
        f"{head} … ({len(vector)} dimensions)  {text}" for head, vector, text in zip(heads, vectors, texts, strict=True)
    )
    _print(vectors, lines, as_json, proof)


@click.command()
@_TEXTS
@model_option
@proof_option
@json_option
@client_options
def classify(texts: tuple[str, ...], model: str | None, proof: Path | None, as_json: bool, client: "Client") -> None:
    """Print the labels of each text with their scores, the best first.

    \b
    Example:  strongroom classify --url https://gateway.example --policy policy.toml "What a day!"
    """
    scores = client.classify(texts, model=model)
    lines = (f"{_ranked(of_text)}  {text}" for of_text, text in zip(scores, texts, strict=True))
    _print(scores, lines, as_json, proof)


@click.command()
@_TEXTS
@model_option
@proof_option
@json_option
@client_options
def tag(texts: tuple[str, ...], model: str | None, proof: Path | None, as_json: bool, client: "Client") -> None:
    """Print the labelled spans of each text, a line each: characters, label, score, what stands there.

    \b
    Example:  strongroom tag --url https://gateway.example --policy policy.toml "Ada Lovelace lives in London."
    """
    found = client.tag(texts, model=model)
    lines = (
        f"{span.start}-{span.end}  {escaped(span.label)} {span.score:.4f}  {escaped(text[span.start : span.end])}"
        for spans, text in zip(found, texts, strict=True)
        for span in spans
    )
    _print(found, lines, as_json, proof)


def _ranked(scores: dict[str, float]) -> str:
    best = sorted(scores.items(), key=lambda item: -item[1])
    return "  ".join(f"{escaped(label)} {score:.4f}" for label, score in best)


def _print(
    answer: "Vectors | LabelScores | TextSpans", lines: Iterable[str], as_json: bool, proof: Path | None
) -> None:
    keep_proof(answer, proof)
    for line in [to_json(answer)] if as_json else lines:
        click.echo(line)
