"""Proving a receipt's place in a log that is at hand."""

from dataclasses import replace
from functools import partial
from itertools import islice, takewhile
from pathlib import Path
from typing import BinaryIO

from attestation.bundles import Bundle
from attestation.merkle import HASH_BYTES
from attestation.proof_errors import ProofCode, ProofRejected
from attestation.proofs.checkpoints import verify_checkpoint
from attestation.proofs.claims import read_receipt_claims
from attestation.proofs.counting import counted_leaves
from attestation.proofs.envelopes import SignedPayload
from attestation.proofs.inclusion import inclusion_path, roots_of_path
from attestation.proofs.log import read_records
from attestation.proofs.openings import Inclusion
from attestation.receipts import leaf_data
from strongroom.cli.audit_folder import BootFolder, boots_in


def with_inclusion(bundle: Bundle, leaf_salt: bytes, folder: Path) -> tuple[Bundle, int]:
    """The bundle with its path to the last checkpoint of its boot's log, and that checkpoint's size.

    Only the path and the signature are judged, the document is not. Raises ProofRejected, CommandFailed, OSError.
    """
    payload = SignedPayload.from_bytes(bundle.receipt).payload
    claims = read_receipt_claims(payload)
    log = _log_of(claims.boot_id, folder)
    with log.log() as (leaves, checkpoints):
        *_, last = [b"", *read_records(checkpoints)]
        covering = verify_checkpoint(last, receipt_key=claims.receipt_key, boot_id=claims.boot_id)
        path = inclusion_path(_leaves(leaves, covering.size), claims.leaf_index)
    if roots_of_path(leaf_data(leaf_salt, payload), claims.leaf_index, covering.size, path).whole != covering.root:
        raise ProofRejected(ProofCode.INCLUSION, "the receipt's leaf in a log of the signed root", "another log")
    return replace(bundle, inclusion=Inclusion(last, path)), covering.size


def _leaves(stream: BinaryIO, count: int) -> list[bytes]:
    """As many as the checkpoint says, however many that is: no more are allocated than there are."""
    leaves = list(takewhile(len, islice(iter(partial(stream.read, HASH_BYTES), None), count)))
    if len(leaves) != count:
        raise ProofRejected(ProofCode.LOG_CUT, counted_leaves(count), f"{len(leaves)}")
    return leaves


def _log_of(boot_id: bytes, folder: Path) -> BootFolder:
    for boot in boots_in(folder):
        if boot.boot_id == boot_id:
            return boot
    raise ProofRejected(ProofCode.LOG_MISSING, f"the log of boot {boot_id.hex()}", "none")
