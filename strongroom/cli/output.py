"""Printing for people and for programs: readable tables without `--json`, one JSON line with it."""

import json
from collections.abc import Iterable, Mapping

import click

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON line instead of text.")


def print_json(value: Mapping[str, object]) -> None:
    """One line."""
    click.echo(json.dumps(value))


def print_table(rows: Iterable[tuple[str, str]]) -> None:
    """Two columns; the first in bold where the terminal allows."""
    listed = list(rows)
    width = max((len(name) for name, _ in listed), default=0)
    for name, value in listed:
        click.echo(f"  {click.style(name.ljust(width), bold=True)}  {value}")
