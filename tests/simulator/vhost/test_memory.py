"""Addresses are followed only inside one region, and regions only inside their files."""

import os

import pytest

from strongroom.simulator.vhost.errors import GuestFault, ProtocolFault
from strongroom.simulator.vhost.memory import GuestMemory
from strongroom.simulator.vhost.messages import RegionLayout
from tests.simulator.vhost.driver import GUEST_BASE, MEMORY_BYTES, USER_BASE, Memory


def test_both_addresses_name_the_same_bytes(memory: Memory) -> None:
    memory.mapped.at_guest(GUEST_BASE + 5, 3)[:] = b"abc"
    assert bytes(memory.mapped.at_user(USER_BASE + 5, 3)) == b"abc"
    assert os.pread(memory.fd, 3, 5) == b"abc"


@pytest.mark.parametrize(
    ("offset", "size"),
    [
        (-1, 1),
        (-1, 2),
        (MEMORY_BYTES, 1),
        (MEMORY_BYTES - 1, 2),
        (0, MEMORY_BYTES + 1),
        ((1 << 64) - GUEST_BASE - 1, 2),
    ],
)
def test_nothing_outside_a_region_is_reached(memory: Memory, offset: int, size: int) -> None:
    with pytest.raises(GuestFault, match="inside one region"):
        memory.mapped.at_guest(GUEST_BASE + offset, size)
    with pytest.raises(ProtocolFault, match="inside one region"):
        memory.mapped.at_user(USER_BASE + offset, size)


def test_a_run_of_bytes_does_not_cross_into_the_next_region(memory: Memory) -> None:
    half = MEMORY_BYTES // 2
    layouts = [RegionLayout(GUEST_BASE + at, half, USER_BASE + at, at) for at in (0, half)]
    mapped = GuestMemory(layouts, [memory.fd, memory.fd])
    mapped.at_guest(GUEST_BASE + half, 1)[:] = b"x"
    assert os.pread(memory.fd, 1, half) == b"x"
    with pytest.raises(GuestFault):
        mapped.at_guest(GUEST_BASE + half - 1, 2)


@pytest.mark.parametrize(
    ("size", "offset", "expected"),
    [
        (MEMORY_BYTES + 1, 0, "inside its file"),
        (MEMORY_BYTES, 4096, "inside its file"),
        (0, 0, "inside its file"),
        (1 << 63, 0, "inside its file"),
        (1, MEMORY_BYTES, "inside its file"),
        (4096, 512, "whole pages"),
    ],
)
def test_a_region_must_lie_in_its_file(memory: Memory, size: int, offset: int, expected: str) -> None:
    with pytest.raises(ProtocolFault, match=expected):
        GuestMemory([RegionLayout(GUEST_BASE, size, USER_BASE, offset)], [memory.fd])


@pytest.mark.parametrize("file", ["memfd", os.devnull, "."], ids=["unsealed", "device", "folder"])
def test_a_file_that_could_shrink_is_no_memory(file: str) -> None:
    """The front end could take it from under a device that is about to read."""
    if file == "memfd":
        fd = os.memfd_create("shrinks", os.MFD_ALLOW_SEALING)
        os.ftruncate(fd, MEMORY_BYTES)
    else:
        fd = os.open(file, os.O_RDONLY)
    try:
        with pytest.raises(ProtocolFault, match="sealed against shrinking"):
            GuestMemory([RegionLayout(GUEST_BASE, MEMORY_BYTES, USER_BASE, 0)], [fd])
    finally:
        os.close(fd)
