"""The log's author: what it hands out is what it appended, and what it forgot it says (docs/receipts.md)."""

import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from attestation.merkle import Frontier
from attestation.proofs.checkpoints import verify_checkpoint
from attestation.signing import receipt_key_bytes
from enclave.serving.audit import AuditLog
from strongroom.protocol.audit import LEAF_BYTES, MAX_PAGE_LEAVES, AuditPage

KEY = ec.generate_private_key(ec.SECP256R1())
BOOT, AT_MS = b"b" * 32, 1_790_000_000_000


def leaf(number: int) -> bytes:
    return hashlib.sha256(number.to_bytes(8, "big")).digest()


def log_of(count: int, kept: int) -> AuditLog:
    log = AuditLog(KEY, kept)
    for number in range(count):
        log.append(leaf(number))
    return log


@pytest.mark.parametrize(
    ("count", "asked", "first", "served"),
    [
        (0, 0, 0, 0),
        (0, 7, 0, 0),
        (5, 0, 0, 5),
        (5, 3, 3, 2),
        (5, 5, 5, 0),
        (5, 1 << 47, 5, 0),
        (2000, 0, 976, 1024),
        (2000, 975, 976, 1024),
        (2000, 1999, 1999, 1),
    ],
)
def test_a_page_starts_where_it_was_asked_to_or_at_the_first_that_is_kept(
    count: int, asked: int, first: int, served: int
) -> None:
    page = AuditPage.from_bytes(log_of(count, 1024).page(asked, BOOT, AT_MS).to_bytes())
    assert page.first == first
    assert page.leaves == b"".join(leaf(number) for number in range(first, first + served))


def test_a_page_is_bounded_and_its_checkpoint_covers_everything() -> None:
    count = MAX_PAGE_LEAVES + 9
    page, frontier = log_of(count, 1 << 16).page(1, BOOT, AT_MS), Frontier()
    for number in range(count):
        frontier.append(leaf(number))
    assert len(page.leaves) == MAX_PAGE_LEAVES * LEAF_BYTES
    checkpoint = verify_checkpoint(page.checkpoint, receipt_key=receipt_key_bytes(KEY), boot_id=BOOT)
    assert (checkpoint.size, checkpoint.root, checkpoint.time_ms) == (count, frontier.root(), AT_MS)


def test_no_more_is_kept_than_the_configuration_says() -> None:
    log = log_of(5000, 1024)
    assert (log.size, len(log._leaves)) == (5000, 1024 * LEAF_BYTES)
