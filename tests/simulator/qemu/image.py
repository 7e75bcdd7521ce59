"""A small image that is well-formed, and boots nowhere."""

from pathlib import Path

from attestation.eif.metadata import BuildMetadata, Metadata
from strongroom.image.eif import Sources, build_eif

KERNEL, COMMAND_LINE, RAMDISKS = b"kernel" * 300_000, "console=ttyS0 panic=-1", (b"first", b"second" * 200_000)
_METADATA = Metadata("image", "1", BuildMetadata("2026-01-01T00:00:00Z", "tests", "1", "Linux", "6"), {}, {})


def write_image(folder: Path) -> Path:
    """Its path."""
    parts = [folder / f"part{number}" for number in range(3)]
    for path, content in zip(parts, (KERNEL, *RAMDISKS), strict=True):
        path.write_bytes(content)
    build_eif(folder / "image.eif", Sources(parts[0], COMMAND_LINE, parts[1:], _METADATA))
    return folder / "image.eif"
