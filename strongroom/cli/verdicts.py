"""A report for people: the verdict, each step and why, what the document says, what follows from it and what not."""

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import click

from strongroom.cli.output import print_table
from strongroom.cli.readable import escaped, optional_row, pcr_rows, timestamp_row

if TYPE_CHECKING:
    from attestation.report import Check, Report

_COLOUR = {"passed": "green", "failed": "red", "skipped": "yellow", "accepted": "green", "rejected": "red"}

Rows = Iterable[tuple[str, str]]


def print_report(report: "Report") -> None:
    """Print the whole report of one document."""
    click.echo(_verdict(report))
    print_table((check.name, outcome(check)) for check in report.checks)
    if report.rejection is not None:
        click.echo(f"what to do: {_advice(report)}")
    said = report.to_builtins()
    if report.document is not None:
        believed = "the document says" if report.accepted else "the document says, which nothing here confirms"
        _print_section(believed, document_rows(_mapping(said["document"]), report.document.kind))
    _print_section("trust anchor", [_anchor_row(report)])
    print_list("it proves", said["proves"])
    print_list("it does not prove", said["does_not_prove"])


def row(name: str, report: "Report") -> str:
    """One line for one of many documents."""
    why = "" if report.rejection is None else f"  {escaped(str(report.rejection))}"
    return f"{coloured('accepted' if report.accepted else 'rejected')}  {escaped(name)}{why}"


def document_rows(document: Mapping[str, Any], kind: str) -> Iterator[tuple[str, str]]:
    """The fields of a document, given as in a report's JSON; of the optional ones, their lengths."""
    yield "module id", escaped(document["module_id"])
    yield "kind", kind
    yield "digest", escaped(document["digest"])
    yield timestamp_row(document["timestamp"])
    yield from pcr_rows(document["pcrs"], kind)
    for name in ("public_key", "user_data", "nonce"):
        yield optional_row(name.replace("_", " "), document[name])


def _verdict(report: "Report") -> str:
    word = "accepted" if report.accepted else "rejected"
    code = "" if report.rejection is None else f": {report.rejection.code}"
    simulated = "; SIMULATED, proves nothing about hardware" if report.anchor.simulated else ""
    return f"{coloured(word, bold=True)}{code} ({report.mode}, {report.kind}{simulated})"


def outcome(check: "Check") -> str:
    """Whether a check passed, and why not or why it was left out."""
    status = coloured(check.status) + " " * (len("skipped") - len(check.status))
    return f"{status}  {escaped(_reason(check))}"


def _reason(check: "Check") -> str:
    if check.status == "failed":
        return f"expected {check.expected}, got {check.actual}"
    return check.actual or "" if check.status == "skipped" else check.expected or ""


def _advice(report: "Report") -> str:
    from attestation.advice import advice_on

    return "" if report.rejection is None else advice_on(report.rejection.code)


def _anchor_row(report: "Report") -> tuple[str, str]:
    name = "SIMULATED" if report.anchor.simulated else "AWS Nitro Root-G1"
    return name, f"SHA-256 {report.anchor.sha256}"


def _print_section(title: str, rows: Rows) -> None:
    click.echo(f"{title}:")
    print_table(rows)


def print_list(title: str, statements: Any) -> None:
    """A title and its statements, one a line; nothing without statements."""
    if statements:
        click.echo(f"{title}:")
    for statement in statements:
        click.echo(f"  - {escaped(statement)}")


def coloured(word: str, bold: bool | None = None) -> str:
    """A status or a verdict in its colour, where the terminal allows."""
    return click.style(word, fg=_COLOUR[word], bold=bold)


def _mapping(value: Any) -> Mapping[str, Any]:
    """An object of the JSON, whose type says no more than that it is JSON."""
    return dict(value)
