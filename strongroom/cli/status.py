"""`strongroom status`: what is attested at a gateway, under which anchor, until when, and what is not proved."""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from strongroom.cli.connection import client_options
from strongroom.cli.output import json_option, print_json, print_table
from strongroom.cli.readable import PCR_MEANING

if TYPE_CHECKING:
    from strongroom.client import Client
    from strongroom.client.models import ModelInfo
    from strongroom.client.status import Status

_PCR_MEANING = {**PCR_MEANING, 16: "model catalogue", 17: "deployment configuration"}
_KMS_LEG = {
    "classical": "classical: RSA-2048 and classical TLS",
    "hybrid": "hybrid TLS (X25519MLKEM768) around RSA-2048",
}


@click.command()
@json_option
@client_options
def status(as_json: bool, client: "Client") -> None:
    """Fetch a document with a fresh nonce, verify it, and show what it says.

    \b
    Example:  strongroom status --url https://gateway.example --policy policy.toml
    """
    report = client.status()
    if as_json:
        from msgspec import to_builtins

        print_json(to_builtins(asdict(report), str_keys=True))
    else:
        _print(report)


def _print(report: "Status") -> None:
    kind = "SIMULATED, proves nothing about hardware" if report.anchor.simulated else "AWS Nitro Enclaves Root-G1"
    rows = [
        ("module", report.module_id),
        ("anchor", f"{kind}; SHA-256 {report.anchor.sha256}"),
        (
            "verdict",
            f"{report.mode}, made {instant(report.timestamp_ms)}, valid until {instant(report.valid_until_ms)}",
        ),
        ("sealed to", f"{report.suite}, key {report.key_id[:16]}…"),
        ("KMS leg", _KMS_LEG[report.kms_leg]),
    ]
    for entry_id, digest in report.key_policies.items():
        rows.append(("key policy", f"{digest}  {entry_id}, SHA-384 of what KMS held at boot"))
    for index, value in report.pcrs.items():
        if index in _PCR_MEANING and int(value, 16):
            rows.append((f"PCR{index}", f"{value}  {_PCR_MEANING[index]}"))
    rows += [("proves" if not number else "", text) for number, text in enumerate(report.proves)]
    rows += [("not proved" if not number else "", text) for number, text in enumerate(report.does_not_prove)]
    rows.append(("models", ", ".join(map(_model, report.models)) + "  (gateway's word)"))
    print_table(rows)


def _model(model: "ModelInfo") -> str:
    return f"{model.id} ({model.task}{'' if model.loaded else ', not loaded'})"


def instant(at_ms: int) -> str:
    """An instant for people, in UTC to the second."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
