"""What the tests build images from, and how they read back what was written."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from attestation.eif.metadata import BuildMetadata, Metadata
from attestation.eif.reader import EIF
from strongroom.image.eif import Sources

METADATA = Metadata(
    "t", "1", BuildMetadata("1970-01-01T00:00:00+00:00", "x", "0", "Linux", "6"), docker_info=None, custom_metadata=None
)


def sources(
    folder: Path,
    ramdisks: Sequence[bytes] = (b"RAMDISK-ZERO", b"RAMDISK-ONE"),
    kernel: bytes = b"KERNEL",
    cmdline: str = "console=ttyS0",
    architecture: str = "x86_64",
) -> Sources:
    """Those of the corpus's vector, unless told otherwise; their files lie in `folder`."""
    paths = [folder / f"ramdisk-{number}" for number in range(len(ramdisks))]
    for path, data in zip(paths, ramdisks, strict=True):
        path.write_bytes(data)
    (folder / "kernel").write_bytes(kernel)
    return Sources(folder / "kernel", cmdline, paths, METADATA, architecture)


def read(path: Path) -> EIF:
    with path.open("rb") as stream:
        return EIF.from_stream(stream)
