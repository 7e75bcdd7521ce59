"""Verifying the audit log of one boot: the leaves that the parent kept, against what the enclave signed about them.

Every leaf lies under a stored checkpoint, whose root is computed anew. A log that was cut with its checkpoints is a
sound shorter log: only something held elsewhere, a later checkpoint or a receipt, shows the cut.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO

from attestation.checkpoints import Checkpoint
from attestation.documents import AttestationDocument
from attestation.evidence import Evidence, boot_id
from attestation.merkle import HASH_BYTES, Frontier
from attestation.proof_errors import ProofCode, ProofRejected
from attestation.proofs.checkpoints import verify_checkpoint
from attestation.proofs.claims import read_receipt_claims
from attestation.proofs.counting import counted_leaves
from attestation.proofs.envelopes import MAX_SIGNED_BYTES, SignedPayload
from attestation.proofs.verifier import check_enclave
from attestation.receipts import leaf_data
from attestation.verifier import VerifiedDocument

_LENGTH_BYTES = 4


@dataclass(frozen=True, slots=True)
class Boot:
    """The origin of a log: who must have signed everything in it."""

    boot_id: bytes
    receipt_key: bytes

    @classmethod
    def of(cls, document: VerifiedDocument, evidence: Evidence) -> Boot:
        """From a verified document and the evidence that it came in.

        Raises ProofRejected (document-kind), and Rejected unless the document binds that evidence.
        """
        attested: AttestationDocument = document.document
        check_enclave(attested)
        evidence.check_binding(attested)
        return cls(boot_id(attested.module_id, evidence.receipt_key), evidence.receipt_key)


@dataclass(frozen=True, slots=True)
class Held:
    """What is held apart from a log: the root at ``size``, that there are ``least`` leaves, perhaps the next leaf.

    ``receipt`` is the name of the receipt that it is, SHA-256 of the signed payload: one place has one receipt.
    """

    size: int
    root: bytes
    least: int
    leaf: bytes | None = None
    receipt: bytes | None = None


@dataclass(frozen=True, slots=True)
class VerifiedLog:
    """What is known of a log whose every leaf was covered."""

    boot_id: bytes
    last: Checkpoint
    signed_last: bytes = field(repr=False)
    """The last checkpoint as it was signed: hold it against the log another day."""
    checkpoints: int


def held_checkpoint(data: bytes, boot: Boot) -> Held:
    """A checkpoint that was kept elsewhere. Raises ProofRejected."""
    checkpoint = verify_checkpoint(data, receipt_key=boot.receipt_key, boot_id=boot.boot_id)
    return Held(checkpoint.size, checkpoint.root, checkpoint.size)


def held_receipt(receipt: bytes, boot: Boot, leaf_salt: bytes | None = None) -> Held:
    """A receipt, which is a checkpoint of the log before it; with its leaf salt it also says which leaf comes next.

    Raises ProofRejected. Of the receipt only form, boot and signature are judged: its document may be a later one.
    """
    envelope = SignedPayload.from_bytes(receipt)
    claims = read_receipt_claims(envelope.payload)
    if claims.boot_id != boot.boot_id:
        raise ProofRejected(ProofCode.OTHER_BOOT, f"a receipt of boot {boot.boot_id.hex()}", "one of another boot")
    envelope.verify(boot.receipt_key, ProofCode.SIGNATURE)
    leaf = None if leaf_salt is None else leaf_data(leaf_salt, envelope.payload)
    name = hashlib.sha256(envelope.payload).digest()
    return Held(claims.leaf_index, claims.root_before, claims.leaf_index + 1, leaf, name)


def verify_log(boot: Boot, leaves: BinaryIO, checkpoints: BinaryIO, held: Sequence[Held] = ()) -> VerifiedLog:
    """Judge a boot's log: ``leaves`` are 32 bytes each, ``checkpoints`` length (4) ‖ COSE_Sign1 each, both in order.

    Raises ProofRejected (log-form, log-order, log-root, log-uncovered, log-cut, log-fork, log-leaf, and those of
    checkpoints).
    """
    replay, last, signed_last, count = _Replay(leaves, held), None, b"", 0
    for data in read_records(checkpoints):
        checkpoint = verify_checkpoint(data, receipt_key=boot.receipt_key, boot_id=boot.boot_id)
        if last is not None and not (last.size < checkpoint.size and last.time_ms <= checkpoint.time_ms):
            later = f"more than {counted_leaves(last.size)}, no earlier"
            raise ProofRejected(ProofCode.LOG_ORDER, later, f"{checkpoint.size}")
        replay.advance(checkpoint)
        last, signed_last, count = checkpoint, data, count + 1
    if last is None:
        raise ProofRejected(ProofCode.LOG_UNCOVERED, "at least one checkpoint", "none")
    replay.finish()
    return VerifiedLog(boot.boot_id, last, signed_last, count)


class _Replay:
    """Appends the leaves again, and holds each root and leaf against what is known of that place."""

    def __init__(self, leaves: BinaryIO, held: Sequence[Held]) -> None:
        self._leaves, self._held = leaves, held
        self._frontier = Frontier()
        self._held_at: dict[int, list[Held]] = defaultdict(list)
        for each in held:
            self._held_at[each.size].append(each)

    def advance(self, checkpoint: Checkpoint) -> None:
        """Up to the checkpoint's size, and compare its root."""
        while self._frontier.size < checkpoint.size:
            leaf = self._leaves.read(HASH_BYTES)
            if len(leaf) != HASH_BYTES:
                raise ProofRejected(ProofCode.LOG_CUT, counted_leaves(checkpoint.size), f"{self._frontier.size}")
            self._append(leaf)
        if self._frontier.root() != checkpoint.root:
            raise ProofRejected(
                ProofCode.LOG_ROOT, f"the signed root of {counted_leaves(checkpoint.size)}", "another root"
            )

    def finish(self) -> None:
        """No leaf without a checkpoint, and everything held elsewhere lies within."""
        size = self._frontier.size
        if self._leaves.read(1):
            raise ProofRejected(ProofCode.LOG_UNCOVERED, f"{counted_leaves(size)}, under the last checkpoint", "more")
        self._compared()
        if missing := [each.least for each in self._held if each.least > size]:
            raise ProofRejected(ProofCode.LOG_CUT, f"at least {counted_leaves(max(missing))}", f"{size}")

    def _append(self, leaf: bytes) -> None:
        if any(each.leaf not in (None, leaf) for each in self._compared()):
            raise ProofRejected(ProofCode.LOG_LEAF, f"the receipt's leaf at {self._frontier.size}", "another leaf")
        self._frontier.append(leaf)

    def _compared(self) -> Sequence[Held]:
        """What is held of this place, which agrees with the log so far and with each other."""
        size = self._frontier.size
        here = self._held_at.get(size, ())
        if any(each.root != self._frontier.root() for each in here):
            raise ProofRejected(
                ProofCode.LOG_FORK, f"the root of {counted_leaves(size)} that is held elsewhere", "another root"
            )
        if len({each.receipt for each in here} - {None}) > 1:
            raise ProofRejected(ProofCode.LOG_FORK, f"one receipt with leaf {size}", "two that are held elsewhere")
        return here


def to_records(checkpoints: Iterable[bytes]) -> bytes:
    """Length (4) ‖ checkpoint, each."""
    return b"".join(len(data).to_bytes(_LENGTH_BYTES, "big") + data for data in checkpoints)


def read_records(stream: BinaryIO) -> Iterator[bytes]:
    """The checkpoints of a stream of length (4) ‖ checkpoint. Raises ProofRejected (log-form)."""
    while head := stream.read(_LENGTH_BYTES):
        length = int.from_bytes(head, "big")
        if len(head) != _LENGTH_BYTES or not 1 <= length <= MAX_SIGNED_BYTES:
            raise ProofRejected(ProofCode.LOG_FORM, f"checkpoints of 1 to {MAX_SIGNED_BYTES} bytes", "another length")
        data = stream.read(length)
        if len(data) != length:
            raise ProofRejected(ProofCode.LOG_FORM, f"a checkpoint of {length} bytes", f"{len(data)}")
        yield data
