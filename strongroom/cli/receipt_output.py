"""A receipt's verdict for people: each layer and why, what the receipt says, what follows from it and what not."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from attestation.receipt_claims import NO_MANIFEST
from strongroom.cli.output import print_table
from strongroom.cli.readable import escaped, instant
from strongroom.cli.verdicts import coloured, outcome, print_list, print_report

if TYPE_CHECKING:
    from attestation.proofs.report import ReceiptReport
    from attestation.receipt_claims import ReceiptClaims


def print_receipt_report(report: "ReceiptReport", policy: str) -> None:
    """Print the whole report; `policy` says in words whose policy the document was judged by."""
    click.echo(_verdict(report))
    print_table((check.name, outcome(check)) for check in report.checks)
    if report.claims is not None:
        click.echo("the receipt says:" if report.verified else "the receipt says, which nothing here confirms:")
        print_table(_rows(report.claims))
    print_list("it proves", [] if report.verified is None else report.verified.proves)
    print_list("it does not prove", [] if report.verified is None else report.verified.does_not_prove)
    if report.document is not None:
        click.echo(f"its attestation document, judged by {policy}:")
        print_report(report.document)


def _verdict(report: "ReceiptReport") -> str:
    word = "rejected" if report.verified is None else "accepted"
    code = "" if report.rejection is None else f": {report.rejection.code}"
    simulated = report.document is not None and report.document.anchor.simulated
    return f"{coloured(word, bold=True)}{code} (receipt{'; SIMULATED, proves nothing about hardware' * simulated})"


def _rows(claims: "ReceiptClaims") -> Iterator[tuple[str, str]]:
    yield "admitted", f"{claims.time_ms} ms  {instant(claims.time_ms)}, answered in {claims.duration_ms} ms"
    yield "request id", claims.request_id.hex()
    if claims.manifest_sha384 == NO_MANIFEST:
        yield "model", f"none: the catalogue has no {escaped(claims.model)}"
    else:
        yield "model", f"{escaped(claims.model)} {escaped(claims.model_version)}"
        yield "manifest", f"SHA-384 {claims.manifest_sha384.hex()}"
    yield "catalogue", f"labelled SHA-384 {claims.catalogue_sha384.hex()}"
    yield "outcome", f"{claims.outcome}, {claims.sent_chunks} of {claims.generated_chunks} chunks sent"
    for entry, digest in claims.key_policies.items():
        yield "key policy", f"{escaped(entry)}  SHA-384 {digest.hex()}"
    yield "KMS leg", "classical" if claims.kms_leg == 1 else "hybrid"
    yield "boot", claims.boot_id.hex()
    yield "leaf", f"{claims.leaf_index}, after the root {claims.root_before.hex()}"
    for guardrail, verdict in claims.verdicts:
        yield "guardrail", f"{escaped(guardrail)}: {escaped(verdict)}"
