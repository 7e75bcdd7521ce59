"""The local image for a machine of stock QEMU: `python -m strongroom.simulator.boot_image FOLDER`.

FOLDER is what `make eif-local` left. Kernel, init, application and all modules but one are those of its image, so PCR2
is the same; ramdisk 0 holds the NSM driver that `nsm_module` explains, so PCR0 and PCR1 are not.
"""

import sys
from pathlib import Path

from attestation.eif.reader import EIF
from strongroom.image.kernel_modules import KernelModule
from strongroom.image.local_parts import LocalParts
from strongroom.simulator.nsm_module import behind_vhost_user_rng


def build_boot_image(folder: Path) -> EIF:
    """Write `boot-test.eif` into the folder. Raises ImageError, EIFError, OSError."""
    parts = LocalParts(folder / "parts")
    modules = [_for_stock_qemu(module) for module in parts.modules()]
    return parts.assemble(folder / "boot-test.eif", modules, "boot-test")


def _for_stock_qemu(module: KernelModule) -> KernelModule:
    return KernelModule("nsm", behind_vhost_user_rng(module.content)) if module.name == "nsm" else module


if __name__ == "__main__":
    build_boot_image(Path(sys.argv[1]))
