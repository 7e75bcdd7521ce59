"""What a local image is put together from, kept in a folder so that another first ramdisk can go with the rest."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Final

from attestation.eif.metadata import BuildMetadata, Metadata
from attestation.eif.reader import EIF
from strongroom.image.eif import Sources, build_eif
from strongroom.image.kernel_modules import KernelModule
from strongroom.image.ramdisk import write_boot

CMDLINE: Final = "console=ttyS0 loglevel=4 reboot=t panic=-1 random.trust_cpu=on"
"""Of nitro-cli's words those that matter here; a machine without keyboard controller resets by a triple fault."""
_EPOCH: Final = "1970-01-01T00:00:00Z"  # the same image whenever it is built


@dataclass(frozen=True, slots=True)
class LocalParts:
    """A folder with `vmlinuz`, `init`, `modules/`, `application.cpio` and `kernel-version`."""

    folder: Path

    @property
    def kernel(self) -> Path:
        """Debian's, as it was packaged."""
        return self.folder / "vmlinuz"

    @property
    def init(self) -> Path:
        """The first process, deploy/init/init.c."""
        return self.folder / "init"

    @property
    def application(self) -> Path:
        """Ramdisk 1."""
        return self.folder / "application.cpio"

    def keep_modules(self, modules: Sequence[KernelModule], kernel_version: str) -> None:
        """Write the modules of ramdisk 0 and the kernel's version."""
        (self.folder / "modules").mkdir()
        for module in modules:
            (self.folder / "modules" / f"{module.name}.ko").write_bytes(module.content)
        (self.folder / "modules" / "order").write_text("".join(f"{module.name}\n" for module in modules))
        (self.folder / "kernel-version").write_text(kernel_version)

    def modules(self) -> list[KernelModule]:
        """The modules in the order in which they load."""
        names = (self.folder / "modules" / "order").read_text().split()
        return [KernelModule(name, (self.folder / "modules" / f"{name}.ko").read_bytes()) for name in names]

    def assemble(self, output: Path, modules: Sequence[KernelModule], name: str) -> EIF:
        """Write the image with these modules in its ramdisk 0. Raises ImageError, OSError."""
        boot = self.folder / f"{name}.cpio"
        with boot.open("wb") as file:
            write_boot(file, self.init, modules)
        sources = Sources(self.kernel, CMDLINE, [boot, self.application], self._metadata(name))
        return build_eif(output, sources)

    def _metadata(self, name: str) -> Metadata:
        ours = version("strongroom")
        kernel_version = (self.folder / "kernel-version").read_text()
        built = BuildMetadata(_EPOCH, "strongroom eif-local", ours, "Linux", kernel_version)
        return Metadata(name, ours, built, docker_info=None, custom_metadata=None)
