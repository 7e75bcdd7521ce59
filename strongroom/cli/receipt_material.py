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
from strongroom.cli.receipt_content import EVENTS, TASK, read_request, read_response, unreadable
from strongroom.protocol.contents import request_content, response_content

if TYPE_CHECKING:
    from attestation.policy import Policy
    from attestation.proofs.report import Shown

_RECEIPT_TAG = b"\xd2"
_EVIDENCE_MAGIC = b"SRE"
_MAP = range(0xA0, 0xC0)
_MAX_SALTS_FILE_BYTES = 1024


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
    receipt: Path, document: Path | None, request: Path | None, response: Path | None, salts: Path | None
) -> Material:
    """Everything that was named.

    Raises click.UsageError, CommandFailed, InvalidArgument, Malformed, OSError, ProofRejected, PolicyError.
    """
    read = read_receipt(receipt)
    if isinstance(read, Bundle):
        if given := [name for name, value in {"--document": document, "--salts": salts}.items() if value is not None]:
            raise click.UsageError(f"expected no {given[0]} beside a proof bundle, which holds its own.")
        return _of_bundle(read, request, response)
    if document is None:
        raise click.UsageError("expected --document FILE beside a receipt; only a proof bundle holds its own.")
    if (salts is not None) != (request is not None or response is not None):
        raise click.UsageError("expected --salts FILE together with --request FILE or --response FILE.")
    return _of_files(read, document, request, response, salts)


def _of_bundle(bundle: Bundle, request: Path | None, response: Path | None) -> Material:
    """What somebody holds himself is judged in place of what the bundle shows."""
    from attestation.policy_file import load_policy
    from strongroom.client.shown import request_held, response_held

    evidence = Evidence.from_bytes(bundle.evidence)
    return Material(
        receipt=bundle.receipt,
        document=evidence.document,
        evidence=evidence,
        policy=None if bundle.policy is None else load_policy(bundle.policy.encode()),
        request=request_held(bundle.request, read_request(request)) if request else bundle.request,
        response=response_held(bundle.response, read_response(response)) if response else bundle.response,
        log=bundle.log,
    )


def _of_files(
    receipt: bytes, document: Path, request: Path | None, response: Path | None, salts: Path | None
) -> Material:
    data = read_evidence(document)
    evidence = Evidence.from_bytes(data) if data.startswith(_EVIDENCE_MAGIC) else None
    salted = None if salts is None else _salts(salts)
    return Material(
        receipt=receipt,
        document=data if evidence is None else evidence.document,
        evidence=evidence,
        request=_request(salted.request, request) if salted and request else None,
        response=_response(salted.response, response) if salted and response else None,
    )


def _request(salt: bytes, file: Path) -> Opening:
    """Beside a receipt alone nothing says what text leaves out."""
    if isinstance(task := read_request(file), str):
        raise unreadable(file, TASK)
    return Opening(salt, request_content(task))


def _response(salt: bytes, file: Path) -> Opening:
    if isinstance(events := read_response(file), str):
        raise unreadable(file, EVENTS)
    return Opening(salt, response_content(events))


def _salts(file: Path) -> ReceiptSalts:
    try:
        return ReceiptSalts.from_bytes(decoded(read_bounded(file, _MAX_SALTS_FILE_BYTES)))
    except ValueError as error:
        raise click.UsageError(f"--salts: {error}.") from None
