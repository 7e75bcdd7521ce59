"""The log of one boot on disk (docs/receipts.md): always a prefix of the enclave's, whole after any crash."""

import copy
import json
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from attestation.checkpoints import Checkpoint
from attestation.merkle import HASH_BYTES, Frontier
from attestation.proof_errors import ProofRejected
from attestation.proofs.checkpoints import verify_checkpoint
from parent.audit.errors import LogForked
from parent.audit.files import LENGTH_BYTES, AppendFile, make_folder, put, sync_folder
from parent.audit.origin import Origin
from parent.audit.recovery import CHECKPOINTS, LEAVES, last_checkpoint, lock, stored_frontier


class BootLog:
    """Everything here blocks. While it is open, no other process can open it."""

    def __init__(self, origin: Origin, leaves: AppendFile, checkpoints: AppendFile) -> None:
        """Over two open files, as a crash may have left them. Raises OSError, LogForked."""
        self.origin = origin
        self._leaves, self._checkpoints = leaves, checkpoints
        last = last_checkpoint(checkpoints)
        self._covered = self._verified(last) if last else None
        self._frontier = stored_frontier(leaves, self._covered)

    @classmethod
    def open(cls, folder: Path, origin: Origin, previous: str | None) -> Self:
        """Begin the log of a boot in `folder`, or go on with it; `previous` is the boot before it, as we saw it.

        Raises OSError, LogInUse, LogForked.
        """
        make_folder(folder)
        claim = {"version": 1, "boot_id": origin.boot_id.hex(), "previous": previous}
        for name, content in (("evidence", origin.evidence), ("boot.json", json.dumps(claim).encode())):
            if not (folder / name).exists():
                put(folder / name, content)
        with ExitStack() as opened:
            leaves = opened.enter_context(AppendFile(folder / LEAVES))
            lock(leaves)
            checkpoints = opened.enter_context(AppendFile(folder / CHECKPOINTS))
            sync_folder(folder)
            log = cls(origin, leaves, checkpoints)
            opened.pop_all()
        return log

    @property
    def size(self) -> int:
        """Leaves on disk."""
        return self._frontier.size

    def extend(self, leaves: bytes, signed: bytes) -> int:
        """Append leaves, and the checkpoint if they reach it: all on disk on return. Returns how many are still due.

        Nothing is written that contradicts what is stored. Raises OSError, LogForked, and ProofRejected for a
        checkpoint that is not of this boot; after OSError and LogForked, close the log and open it again.
        """
        checkpoint = verify_checkpoint(signed, receipt_key=self.origin.receipt_key, boot_id=self.origin.boot_id)
        frontier = self._with(leaves)
        try:
            self._check(frontier, checkpoint)
        except LogForked:
            # Leaves that no checkpoint covers can be a crash's debris: without them the next try may succeed.
            self._leaves.cut(HASH_BYTES * (self._covered.size if self._covered else 0))
            raise
        if leaves:
            self._leaves.append(leaves)
            self._frontier = frontier
        if checkpoint.size == frontier.size and (self._covered is None or self._covered.size < checkpoint.size):
            self._checkpoints.append(len(signed).to_bytes(LENGTH_BYTES, "big") + signed)
            self._covered = checkpoint
        return checkpoint.size - frontier.size

    def close(self) -> None:
        """Let others open it."""
        self._leaves.close()
        self._checkpoints.close()

    def _with(self, leaves: bytes) -> Frontier:
        frontier = copy.deepcopy(self._frontier)
        for at in range(0, len(leaves), HASH_BYTES):
            frontier.append(leaves[at : at + HASH_BYTES])
        return frontier

    def _check(self, frontier: Frontier, checkpoint: Checkpoint) -> None:
        if checkpoint.size < frontier.size:
            raise LogForked(f"expected a checkpoint of at least {frontier.size} leaves, got {checkpoint.size}")
        if checkpoint.size == frontier.size and checkpoint.root != frontier.root():
            raise LogForked(f"expected the signed root of {frontier.size} leaves, got another")
        if self._covered is not None and checkpoint.time_ms < self._covered.time_ms:
            raise LogForked(f"expected a checkpoint from {self._covered.time_ms} on, got {checkpoint.time_ms}")

    def _verified(self, signed: bytes) -> Checkpoint:
        try:
            return verify_checkpoint(signed, receipt_key=self.origin.receipt_key, boot_id=self.origin.boot_id)
        except ProofRejected:
            raise LogForked("expected the last checkpoint on disk to be signed by this boot, got another") from None
