"""What an auditor holds apart from a log, and to which boot each piece belongs."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from pathlib import Path

from attestation.bundles import Bundle
from attestation.proofs.checkpoints import boot_of_checkpoint
from attestation.proofs.claims import read_receipt_claims
from attestation.proofs.envelopes import SignedPayload
from attestation.proofs.log import Boot, Held, held_checkpoint, held_receipt, read_records
from strongroom.cli.evidence import decoded
from strongroom.cli.files import read_bounded
from strongroom.cli.receipt_material import read_receipt

_MAX_FILE_BYTES = 16 << 20
_RECORD = b"\0"
"""The first of four bytes of a record's length: no checkpoint begins with it."""


@dataclass(frozen=True)
class HeldFile:
    """A file, the boot that its content names, and how to believe it once the boot's receipt key is known."""

    file: Path
    boot_id: bytes
    believe: Callable[[Boot], list[Held]]
    unsalted: bool = False
    """A receipt, of which only its requester could tell which leaf it is."""


def read_held_checkpoints(file: Path) -> list[HeldFile]:
    """One signed checkpoint, binary, hex or base64, or any number as `audit verify --out` and gateways write them.

    One piece for each boot that is named. Raises ProofRejected, CommandFailed, OSError.
    """
    data = decoded(read_bounded(file, _MAX_FILE_BYTES))
    signed = [data] if data[:1] != _RECORD else read_records(BytesIO(data))
    by_boot: dict[bytes, list[bytes]] = defaultdict(list)
    for each in signed:
        by_boot[boot_of_checkpoint(each)].append(each)
    return [HeldFile(file, boot_id, partial(_believed_checkpoints, each)) for boot_id, each in by_boot.items()]


def read_held_receipt(file: Path) -> HeldFile:
    """A receipt, or a proof bundle, whose salt also tells its leaf, and whose place in the log comes with a checkpoint.

    Raises ProofRejected, CommandFailed, OSError.
    """
    read = read_receipt(file)
    bundle = read if isinstance(read, Bundle) else Bundle(evidence=b"", receipt=read)
    claims = read_receipt_claims(SignedPayload.from_bytes(bundle.receipt).payload)
    return HeldFile(file, claims.boot_id, partial(_believed, bundle), unsalted=bundle.leaf_salt is None)


def _believed_checkpoints(signed: Sequence[bytes], boot: Boot) -> list[Held]:
    return [held_checkpoint(each, boot) for each in signed]


def _believed(bundle: Bundle, boot: Boot) -> list[Held]:
    held = [held_receipt(bundle.receipt, boot, bundle.leaf_salt)]
    return held if bundle.inclusion is None else [*held, held_checkpoint(bundle.inclusion.checkpoint, boot)]
