"""What a log on disk amounts to after a crash: torn records are cut, the rest is counted and held against itself."""

import fcntl
from functools import partial
from itertools import islice
from pathlib import Path

from attestation.checkpoints import Checkpoint
from attestation.merkle import HASH_BYTES, Frontier
from attestation.proof_errors import ProofRejected
from attestation.proofs.claims import read_checkpoint_claims
from attestation.proofs.envelopes import MAX_SIGNED_BYTES, SignedPayload
from parent.audit.errors import LogForked, LogInUse
from parent.audit.files import AppendFile, whole_records

LEAVES = "leaves"
CHECKPOINTS = "checkpoints"


def lock(leaves: AppendFile) -> None:
    """Keep other processes out until the file is closed. Raises LogInUse."""
    try:
        fcntl.flock(leaves.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise LogInUse("expected no other process to write to this audit log") from None


def last_checkpoint(checkpoints: AppendFile) -> bytes:
    """The last whole record, or nothing; what is torn behind it is cut. Raises OSError."""
    end, last = 0, b""
    with checkpoints.reader() as stream:
        for record_end, record in whole_records(stream, MAX_SIGNED_BYTES):
            end, last = record_end, record
    checkpoints.cut(end)
    return last


def stored_frontier(leaves: AppendFile, covered: Checkpoint | None) -> Frontier:
    """The frontier over all leaves; a torn one is cut. Raises OSError, LogForked unless the checkpoint agrees."""
    leaves.cut(leaves.size_bytes() // HASH_BYTES * HASH_BYTES)
    frontier = Frontier()
    with leaves.reader() as stream:
        stored = iter(partial(stream.read, HASH_BYTES), b"")
        if covered is not None:
            for leaf in islice(stored, covered.size):
                frontier.append(leaf)
            if (frontier.size, frontier.root()) != (covered.size, covered.root):
                raise LogForked(f"expected the signed root of {covered.size} leaves on disk, got another")
        for leaf in stored:
            frontier.append(leaf)
    return frontier


def finish(folder: Path) -> None:
    """The boot is gone: cut the leaves that no checkpoint covers, they prove nothing. Raises OSError, LogInUse.

    A folder that is not there, or whose checkpoint cannot be read, is left as it is.
    """
    if not (folder / LEAVES).exists():
        return
    with AppendFile(folder / LEAVES) as leaves, AppendFile(folder / CHECKPOINTS) as checkpoints:
        lock(leaves)
        last = last_checkpoint(checkpoints)
        try:
            size = read_checkpoint_claims(SignedPayload.from_bytes(last).payload).size if last else 0
        except ProofRejected:
            return
        leaves.cut(HASH_BYTES * size)
