"""What a receipt is judged with, from the files that the caller names or from the one file of a proof bundle."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from attestation.bundles import MAX_BUNDLE_BYTES, Bundle
from attestation.evidence import Evidence
from attestation.proofs.openings import LogProof, Opening
from attestation.receipts import ReceiptSalts
from strongroom.cli.evidence import decoded, read_evidence
from strongroom.cli.files import read_bounded
from strongroom.cli.receipt_content import request_content, response_content

if TYPE_CHECKING:
    from attestation.policy import Policy
    from attestation.proofs.report import Shown

_RECEIPT_TAG = b"\xd2"
_EVIDENCE_MAGIC = b"SRE"
_MAP = range(0xA0, 0xC0)


@dataclass(frozen=True, kw_only=True)
class Material:
    """A receipt, the document to hold it against, and what is shown beside them; `policy` is the bundle's own."""

    receipt: bytes
    document: bytes
    evidence: Evidence | None = None
    policy: "Policy | None" = None
    request: Opening | None = None
    response: Opening | None = None
    log: LogProof | None = None

    @property
    def shown(self) -> "Shown":
        """As the verifier takes it."""
        return {"evidence": self.evidence, "request": self.request, "response": self.response, "log": self.log}


def read_receipt(file: Path) -> bytes | Bundle:
    """A receipt, or the bundle around one; binary, hex or base64. Raises CommandFailed, OSError, ProofRejected."""
    data = decoded(read_bounded(file, MAX_BUNDLE_BYTES))
    return Bundle.from_bytes(data) if data[:1] and data[0] in _MAP else data


def read_material(
    receipt: Path, document: Path | None, request: Path | None, response: Path | None, salts: bytes | None
) -> Material:
    """Everything that was named. Raises click.UsageError, CommandFailed, OSError, ProofRejected, PolicyError."""
    read = read_receipt(receipt)
    beside = {"--document": document, "--request": request, "--response": response, "--salts": salts}
    if isinstance(read, Bundle):
        if given := [name for name, value in beside.items() if value is not None]:
            raise click.UsageError(f"expected a proof bundle alone, got {given[0]} beside it: it holds its own.")
        return _of_bundle(read)
    if document is None:
        raise click.UsageError("expected --document FILE beside a receipt; only a proof bundle holds its own.")
    if (salts is not None) != (request is not None or response is not None):
        raise click.UsageError("expected --salts HEX together with --request FILE or --response FILE.")
    return _of_files(read, document, request, response, salts)


def _of_bundle(bundle: Bundle) -> Material:
    from attestation.policy_file import load_policy

    evidence = Evidence.from_bytes(bundle.evidence)
    return Material(
        receipt=bundle.receipt,
        document=evidence.document,
        evidence=evidence,
        policy=None if bundle.policy is None else load_policy(bundle.policy.encode()),
        request=bundle.request,
        response=bundle.response,
        log=bundle.log,
    )


def _of_files(
    receipt: bytes, document: Path, request: Path | None, response: Path | None, salts: bytes | None
) -> Material:
    data = read_evidence(document)
    evidence = Evidence.from_bytes(data) if data.startswith(_EVIDENCE_MAGIC) else None
    salted = None if salts is None else _salts(salts)
    return Material(
        receipt=receipt,
        document=data if evidence is None else evidence.document,
        evidence=evidence,
        request=Opening(salted.request, request_content(request)) if salted and request else None,
        response=Opening(salted.response, response_content(response)) if salted and response else None,
    )


def _salts(data: bytes) -> ReceiptSalts:
    try:
        return ReceiptSalts.from_bytes(data)
    except ValueError as error:
        raise click.UsageError(f"--salts: {error}.") from None
