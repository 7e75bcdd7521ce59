"""`strongroom receipt`: verify what an enclave signed about an answer, offline, now or years later."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from strongroom.cli.failures import EXIT_FAILED
from strongroom.cli.output import json_option, print_json
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
@click.option("--request", type=_FILE, help="A task, or beside a bundle a prompt: is it the one that was answered?")
@click.option("--response", type=_FILE, help="A list of events, or beside a bundle a text: is it the answer?")
@click.option("--salts", type=_FILE, help="With --request or --response, without a bundle: the requester's 96 bytes.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="If accepted, write what is shown there.")
@archived_options
@json_option
def verify(
    file: Path,
    document: Path | None,
    request: Path | None,
    response: Path | None,
    salts: Path | None,
    out: Path | None,
    options: VerifyOptions,
    as_json: bool,
) -> int:
    """Judge the receipt in RECEIPT, or the proof bundle, which holds the document and needs nothing beside it.

    Each layer is named, and whether it was checked or skipped. The document is judged as archived, at the instant of
    the receipt, under --policy, --pcr, --role or --any-measurement; a bundle's own policy serves where none is named.

    A request or response that you hold is judged in place of the bundle's own. --out FOLDER makes request.json and
    response.json there, which --request and --response take. Tasks and events are canonical CBOR or JSON.

    Exit 0 accepted, 1 rejected, 2 wrong usage or a file that cannot be read.

    \b
    Examples:
      strongroom receipt verify answer.receipt --document evidence.bin --policy policy.toml
      strongroom receipt verify answer.proof --policy policy.toml --json
      strongroom receipt verify answer.proof --policy policy.toml --request question.txt --response answer.txt
      strongroom receipt verify answer.proof --policy policy.toml --out shown
    """
    from strongroom.cli.receipt_material import read_material
    from strongroom.cli.receipt_output import limits, print_receipt_report
    from strongroom.cli.receipt_shown import write_shown

    material = read_material(file, document, request, response, salts)
    report = _judged(material, options)
    source = _policy_source(material, options)
    if out is not None and report.verified is not None:
        write_shown(out, material.request, material.response)
    if as_json:
        print_json({"policy": source, **report.to_builtins(), "does_not_prove": limits(report, source)})
    else:
        print_receipt_report(report, source)
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
