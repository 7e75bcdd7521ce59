"""Pages of the audit log, as the gateway asks for them: docs/protocol.md, audit."""

from __future__ import annotations

from tests.protocol.vectors.receipts import answer_receipt
from tests.protocol.vectors.seeds import derived
from tests.protocol.vectors.vector import ACCEPTED, MALFORMED, Group, Vector


def page(
    *,
    magic: bytes = b"SRL\1",
    first: int = 5,
    leaves: bytes = derived("leaves", 96),
    count: int | None = None,
    checkpoint: bytes = derived("a checkpoint", 200),
    checkpoint_bytes: int | None = None,
    end: bytes = b"",
) -> bytes:
    """A page, sound unless changed."""
    number = len(leaves) // 32 if count is None else count
    size = len(checkpoint) if checkpoint_bytes is None else checkpoint_bytes
    head = magic + first.to_bytes(8, "big") + number.to_bytes(4, "big")
    return b"".join((head, leaves, size.to_bytes(4, "big"), checkpoint, end))


def group() -> Group:
    """The file."""
    about = "Pages of the audit log. Only lengths are judged; the checkpoint is none."
    return Group("audit-pages", about, "Audit log", {}, [*_accepted(), *_refused()])


def _accepted() -> list[Vector]:
    kinds = {"three": ("three leaves from the sixth on", 5, 96), "none": ("no new leaf", 1 << 40, 0)}
    return [
        Vector(
            slug,
            title,
            page(first=first, leaves=derived("leaves", 96)[:size]),
            ACCEPTED,
            None,
            {
                "gives": {
                    "first": first,
                    "leaves": derived("leaves", 96)[:size],
                    "checkpoint": derived("a checkpoint", 200),
                }
            },
        )
        for slug, (title, first, size) in kinds.items()
    ]


def _refused() -> list[Vector]:
    long = (1 << 32) - 1
    wrong = {
        "empty": ("no bytes", b""),
        "magic": ("another magic", page(magic=b"SRX\1")),
        "version": ("version 2", page(magic=b"SRL\2")),
        "leaves-8193": ("8,193 leaves", page(count=8193)),
        "leaves-2-32": ("2^32 - 1 leaves", page(count=long)),
        "leaves-cut": ("a leaf more than there are", page(count=4, checkpoint=b"", leaves=derived("leaves", 96))),
        "no-checkpoint": ("a checkpoint of no bytes", page(checkpoint=b"")),
        "checkpoint-4097": ("a checkpoint of 4,097 bytes", page(checkpoint=bytes(4097))),
        "checkpoint-2-32": ("a checkpoint of 2^32 - 1 bytes", page(checkpoint_bytes=long)),
        "trailing": ("one byte too many", page(end=b"\0")),
        "cut": ("one byte short", page()[:-1]),
        "receipt": ("a receipt", answer_receipt()),
    }
    return [Vector(slug, title, data, MALFORMED, "form") for slug, (title, data) in wrong.items()]
