"""`strongroom inspect`: look at an attestation document without judging it."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from strongroom.cli.evidence import read_evidence
from strongroom.cli.failures import EXIT_FAILED
from strongroom.cli.output import json_option, print_json, print_table
from strongroom.cli.parameters import file_name
from strongroom.cli.readable import escaped, instant
from strongroom.cli.verdicts import document_rows


@click.command()
@click.argument("file", metavar="FILE", type=file_name)
@json_option
def inspect(file: Path, as_json: bool) -> int:
    """Print what the attestation document in FILE says, UNVERIFIED: binary, hex or base64; - is standard input.

    Anybody can write such a document: `strongroom verify` is the command that judges one. Exit 0 printed, 1 it does not
    parse, 2 wrong usage or a file that cannot be read.

    \b
    Examples:
      strongroom inspect document.cbor
      strongroom inspect document.b64 --json
    """
    from strongroom.cli.unverified import unverified

    said = unverified(read_evidence(file))
    if as_json:
        print_json(said)
    else:
        _print(said)
    return 0 if said["code"] is None else EXIT_FAILED


def _print(said: Mapping[str, Any]) -> None:
    click.secho(said["warning"], fg="yellow", bold=True)
    if said["code"] is not None:
        click.echo(f"no document: {said['code']}: expected {said['expected']}, got {said['actual']}")
        return
    print_table([*document_rows(said["document"], said["kind"]), *_envelope_rows(said["envelope"])])
    for certificate in said["certificates"]:
        click.echo("certificate:")
        print_table(_certificate_rows(certificate))


def _envelope_rows(envelope: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield "envelope", f"{'tag 18' if envelope['tagged'] else 'no tag'}, payload in one {envelope['payload_map']} map"
    yield "signature", f"ES384, {'high' if envelope['high_s'] else 'low'} s; not checked"
    yield "payload", f"SHA-384 {envelope['payload_sha384']}"


def _certificate_rows(certificate: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if certificate["subject"] is None:
        yield "subject", "unreadable"
    else:
        yield "subject", escaped(certificate["subject"])
        yield "issuer", escaped(certificate["issuer"])
        yield "valid", f"{instant(certificate['not_before'])} to {instant(certificate['not_after'])}"
    yield "SHA-256", certificate["sha256"]
