"""`strongroom receipt`: verify what an enclave signed about an answer, offline, now or years later."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from strongroom.cli.failures import EXIT_FAILED
from strongroom.cli.output import json_option, print_json
from strongroom.cli.parameters import hex_bytes
from strongroom.cli.verify_options import VerifyOptions, archived_options

if TYPE_CHECKING:
    from attestation.proofs.report import ReceiptReport
    from strongroom.cli.receipt_material import Material

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group()
def receipt() -> None:
    """Verify receipts and proof bundles offline."""


@receipt.command("verify")
@click.argument("file", metavar="RECEIPT", type=_FILE)
@click.option("--document", type=_FILE, help="The attestation document it names, or the evidence around it.")
@click.option("--request", type=_FILE, help="The task, canonical CBOR or JSON: is it the one that was answered?")
@click.option("--response", type=_FILE, help="The list of events, canonical CBOR or JSON: is it the one given?")
@click.option("--salts", type=hex_bytes, metavar="HEX", help="With --request or --response: the requester's 96 bytes.")
@archived_options
@json_option
def verify(
    file: Path,
    document: Path | None,
    request: Path | None,
    response: Path | None,
    salts: bytes | None,
    options: VerifyOptions,
    as_json: bool,
) -> int:
    """Judge the receipt in RECEIPT, or the proof bundle, which holds the document and needs nothing beside it.

    Each layer is named, and whether it was checked or skipped. The document is judged as archived, at the instant of
    the receipt, under --policy, --pcr, --role or --any-measurement; a bundle's own policy serves where none is named.

    Exit 0 accepted, 1 rejected, 2 wrong usage or a file that cannot be read.

    \b
    Examples:
      strongroom receipt verify answer.receipt --document evidence.bin --policy policy.toml
      strongroom receipt verify answer.receipt --document evidence.bin --policy policy.toml \\
        --request task.json --response events.json --salts 5e02…
      strongroom receipt verify answer.proof --policy policy.toml --json
    """
    from strongroom.cli.receipt_material import read_material

    material = read_material(file, document, request, response, salts)
    report = _judged(material, options)
    source = _policy_source(material, options)
    if as_json:
        print_json({"policy": source, **report.to_builtins()})
    else:
        _print(report, source)
    return EXIT_FAILED if report.verified is None else 0


def _judged(material: "Material", options: VerifyOptions) -> "ReceiptReport":
    """The document at the receipt's instant; a receipt that does not parse names none, so its document is not asked."""
    from attestation.proofs.report import judge_receipt, parsed_claims
    from strongroom.cli.judgement import judge_of

    claims = parsed_claims(material.receipt)
    at_instant = options if claims is None else replace(options, archived=False, at_ms=claims.time_ms)
    judge = judge_of(at_instant, otherwise=material.policy)
    document = None if claims is None else judge(material.document)
    return judge_receipt(material.receipt, document, **material.shown)


def _policy_source(material: "Material", options: VerifyOptions) -> str:
    from strongroom.cli.judgement import names_measurements

    if options.any_measurement:
        return "any-measurement"
    return "caller" if names_measurements(options) or material.policy is None else "bundle"


def _print(report: "ReceiptReport", source: str) -> None:
    from strongroom.cli.receipt_output import print_receipt_report

    words = {
        "any-measurement": "no policy: any measurement is allowed",
        "caller": "your policy",
        "bundle": "the policy in the bundle, which the bundle's maker chose: give --policy to judge by your own",
    }
    print_receipt_report(report, words[source])
