"""A receipt's verdict for people: each layer and why, what the receipt says, what follows from it and what not."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from attestation.proofs.counting import counted
from attestation.receipt_claims import NO_MANIFEST
from strongroom.cli.output import print_table
from strongroom.cli.readable import escaped, instant
from strongroom.cli.verdicts import coloured, outcome, print_list, print_report

if TYPE_CHECKING:
    from attestation.proofs.report import ReceiptReport
    from attestation.receipt_claims import ReceiptClaims


_POLICY_IN_WORDS = {
    "any-measurement": "no policy: any measurement is allowed",
    "caller": "your policy",
    "bundle": "the policy in the bundle, which the bundle's maker chose: give --policy to judge by your own",
}
_POLICY_OF_BUNDLE = "that the policy is good: it is the bundle's own, and whoever made the bundle chose it"


def limits(report: "ReceiptReport", source: str) -> list[str]:
    """What an accepted receipt does not prove, judged by a policy from `source`; nothing of one that was rejected."""
    if report.verified is None:
        return []
    return [*report.verified.does_not_prove, *([_POLICY_OF_BUNDLE] if source == "bundle" else [])]


def print_receipt_report(report: "ReceiptReport", source: str) -> None:
    """Print the whole report; `source` says whose policy the document was judged by."""
    click.echo(_verdict(report))
    print_table((check.name, outcome(check)) for check in report.checks)
    if report.claims is not None:
        click.echo("the receipt says:" if report.verified else "the receipt says, which nothing here confirms:")
        print_table(_rows(report.claims))
    print_list("it proves", [] if report.verified is None else report.verified.proves)
    print_list("it does not prove", limits(report, source))
    if report.document is not None:
        click.echo(f"its attestation document, judged by {_POLICY_IN_WORDS[source]}:")
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
    yield (
        "outcome",
        f"{claims.outcome}, {claims.sent_chunks} of {counted(claims.generated_chunks, 'chunk', 'chunks')} sent",
    )
    for entry, digest in claims.key_policies.items():
        yield "key policy", f"{escaped(entry)}  SHA-384 {digest.hex()}"
    yield "KMS leg", "classical" if claims.kms_leg == 1 else "hybrid"
    yield "boot", claims.boot_id.hex()
    yield "leaf", f"{claims.leaf_index}, after the root {claims.root_before.hex()}"
    for guardrail, verdict in claims.verdicts:
        yield "guardrail", f"{escaped(guardrail)}: {escaped(verdict)}"
