"""The NSM's random bytes reach the kernel before a key is made, or nothing boots."""

import os
import struct
from pathlib import Path

import pytest

from enclave.entropy import RNDADDENTROPY, RNDRESEEDCRNG, SEED_BYTES, require_nsm_entropy, seed_kernel
from enclave.errors import BootRefused
from enclave.nsm.interface import NSM, NSMErrorCode, NSMRefused
from strongroom.simulator.nsm import SoftwareNSM
from strongroom.simulator.pki import SimulatedPKI


class Kernel:
    """Takes what is added, or says no."""

    def __init__(self, refusal: OSError | None = None) -> None:
        self.calls: list[tuple[str, int, bytes]] = []
        self._refusal = refusal

    def ioctl(self, descriptor: int, code: int, argument: bytes) -> int:
        if self._refusal:
            raise self._refusal
        self.calls.append((os.readlink(f"/proc/self/fd/{descriptor}"), code, argument))
        return 0


class FewBytes(SoftwareNSM):
    """Answers as briefly as the protocol allows."""

    def get_random(self) -> bytes:
        return super().get_random()[:1]


class Silent(SoftwareNSM):
    def get_random(self) -> bytes:
        raise NSMRefused(NSMErrorCode.INTERNAL_ERROR)


def software(kind: type[SoftwareNSM], folder: Path) -> NSM:
    return kind(
        SimulatedPKI.open(folder), image_pcrs={0: bytes(48), 1: bytes(48), 2: bytes(48)},
        parent_role_arn="arn:aws:iam::111122223333:role/parent", parent_instance_id="i-0123456789abcdef0",
    )  # fmt: skip


@pytest.mark.parametrize("kind", [SoftwareNSM, FewBytes])
def test_what_the_nsm_says_is_added_and_used_at_once(kind: type[SoftwareNSM], tmp_path: Path) -> None:
    kernel = Kernel()
    seed_kernel(software(kind, tmp_path), ioctl=kernel.ioctl)
    (device, added, argument), (_, reseeded, _) = kernel.calls
    assert (device, added, reseeded) == ("/dev/urandom", RNDADDENTROPY, RNDRESEEDCRNG)
    bits, size = struct.unpack_from("=ii", argument)
    assert (bits, size) == (8 * len(argument[8:]), len(argument[8:]))
    assert size >= SEED_BYTES
    assert len(set(argument[8:])) > 1


def test_no_two_seeds_are_alike(tmp_path: Path) -> None:
    kernel = Kernel()
    nsm = software(SoftwareNSM, tmp_path)
    for _ in range(2):
        seed_kernel(nsm, ioctl=kernel.ioctl)
    assert kernel.calls[0] != kernel.calls[2]


def test_a_module_that_has_none_ends_the_boot(tmp_path: Path) -> None:
    kernel = Kernel()
    with pytest.raises(BootRefused) as refused:
        seed_kernel(software(Silent, tmp_path), ioctl=kernel.ioctl)
    assert (refused.value.code, kernel.calls) == ("no-entropy", [])


def test_a_kernel_that_does_not_take_it_ends_the_boot(tmp_path: Path) -> None:
    nsm = software(SoftwareNSM, tmp_path)
    with pytest.raises(BootRefused):
        seed_kernel(nsm, ioctl=Kernel(PermissionError()).ioctl)
    with pytest.raises(BootRefused):
        seed_kernel(nsm, device=str(tmp_path / "absent"), ioctl=Kernel().ioctl)


def test_another_hardware_generator_ends_the_boot(tmp_path: Path) -> None:
    rng = tmp_path / "rng_current"
    with pytest.raises(BootRefused):
        require_nsm_entropy(rng)
    for other in ("none", "virtio_rng.0", "nsm-hwrng-fake", ""):
        rng.write_text(f"{other}\n")
        with pytest.raises(BootRefused):
            require_nsm_entropy(rng)
    rng.write_text("nsm-hwrng\n")
    require_nsm_entropy(rng)
