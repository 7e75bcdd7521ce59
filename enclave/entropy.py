"""Where the kernel's generator, and with it every key, has its randomness from: the NSM, and nothing of the host's.

Image only. The kernel takes from the NSM by itself, as its hardware generator, if that is the driver's; the seed here
does not wait for when.
"""

import fcntl
import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Final

from enclave.errors import BootRefused
from enclave.nsm.interface import NSM, NSMError

SEED_BYTES: Final = 64
"""Twice what the kernel's generator holds."""

RNDADDENTROPY: Final = 0x40085203
"""_IOW('R', 3, int[2]): bits of entropy, bytes, the bytes themselves (random(4), linux/random.h)."""
RNDRESEEDCRNG: Final = 0x5207
"""_IO('R', 7): use at once what was added."""

_RNG_CURRENT: Final = Path("/sys/devices/virtual/misc/hw_random/rng_current")
_EXPECTED_RNG: Final = "nsm-hwrng"
_HEAD: Final = struct.Struct("=ii")

Ioctl = Callable[[int, int, bytes], object]
"""`fcntl.ioctl`: (file descriptor, request code, argument)."""


def require_nsm_entropy(rng_current: Path = _RNG_CURRENT) -> None:
    """Raise BootRefused unless the kernel's hardware generator is the NSM's."""
    try:
        actual = rng_current.read_text().strip()
    except OSError:
        actual = "none"
    if actual != _EXPECTED_RNG:
        raise BootRefused("no-entropy", f"hardware generator: expected {_EXPECTED_RNG}, got another")


def seed_kernel(nsm: NSM, device: str = "/dev/urandom", ioctl: Ioctl = fcntl.ioctl) -> None:
    """Add SEED_BYTES or more of the NSM's random bytes to the kernel's generator. Raises BootRefused."""
    try:
        seed = _random_bytes(nsm)
        descriptor = os.open(device, os.O_WRONLY | os.O_CLOEXEC)
        try:
            ioctl(descriptor, RNDADDENTROPY, _HEAD.pack(8 * len(seed), len(seed)) + seed)
            ioctl(descriptor, RNDRESEEDCRNG, b"")
        finally:
            os.close(descriptor)
    except (NSMError, OSError) as error:
        text = f"seed: expected random bytes of the NSM and a kernel that takes them, got {type(error).__name__}"
        raise BootRefused("no-entropy", text) from None


def _random_bytes(nsm: NSM) -> bytes:
    found = b""
    while len(found) < SEED_BYTES:  # an answer has one byte at least
        found += nsm.get_random()
    return found
