"""Pages of the audit log: one encoding, every length bounded before it is believed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.protocol.audit import LEAF_BYTES, MAX_CHECKPOINT_BYTES, MAX_PAGE_BYTES, MAX_PAGE_LEAVES, AuditPage
from strongroom.protocol.errors import Malformed

PAGE = AuditPage(7, bytes(range(64)), b"checkpoint")


@given(st.integers(0, (1 << 64) - 1), st.integers(0, 20), st.binary(min_size=1, max_size=64))
def test_a_page_reads_as_it_was_written(first: int, count: int, checkpoint: bytes) -> None:
    page = AuditPage(first, bytes(count * LEAF_BYTES), checkpoint)
    assert AuditPage.from_bytes(page.to_bytes()) == page


def test_the_layout_is_the_documented_one() -> None:
    first, count, length = (7).to_bytes(8, "big"), (2).to_bytes(4, "big"), (10).to_bytes(4, "big")
    assert PAGE.to_bytes() == b"SRL\x01" + first + count + bytes(range(64)) + length + b"checkpoint"


def test_the_largest_page_passes() -> None:
    page = AuditPage(0, bytes(MAX_PAGE_LEAVES * LEAF_BYTES), bytes(MAX_CHECKPOINT_BYTES))
    assert len(page.to_bytes()) == MAX_PAGE_BYTES
    assert AuditPage.from_bytes(page.to_bytes()) == page


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"SRL\x02" + PAGE.to_bytes()[4:],
        PAGE.to_bytes() + b"\0",
        AuditPage(0, bytes((MAX_PAGE_LEAVES + 1) * LEAF_BYTES), b"c").to_bytes(),
        AuditPage(0, b"", b"").to_bytes(),
        AuditPage(0, b"", bytes(MAX_CHECKPOINT_BYTES + 1)).to_bytes(),
        b"SRL\x01" + bytes(8) + b"\xff\xff\xff\xff",
        b"SRL\x01" + bytes(12) + b"\xff\xff\xff\xff" + b"c",
    ],
)
def test_anything_else_is_malformed(data: bytes) -> None:
    with pytest.raises(Malformed):
        AuditPage.from_bytes(data)


def test_every_cut_is_malformed() -> None:
    data = PAGE.to_bytes()
    for size in range(len(data)):
        with pytest.raises(Malformed):
            AuditPage.from_bytes(data[:size])
