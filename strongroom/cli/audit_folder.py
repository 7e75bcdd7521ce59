"""The folder of audit logs that a gateway keeps: one folder for each boot, named by its boot id (docs/receipts.md)."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, BinaryIO, Literal

import msgspec

from attestation.evidence import MAX_EVIDENCE_BYTES, Evidence
from attestation.proof_errors import ProofCode, ProofRejected
from strongroom.cli.failures import EXIT_USAGE, CommandFailed
from strongroom.cli.files import read_bounded

_BOOT_ID = re.compile(r"[0-9a-f]{64}")
_MAX_CLAIM_BYTES = 4096
_BootIdHex = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]


class BootClaim(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`boot.json`: what the parent says of a boot. Nobody signed it."""

    version: Literal[1]
    boot_id: _BootIdHex
    previous: _BootIdHex | None
    """The boot before, as the parent claims."""


@dataclass(frozen=True)
class BootFolder:
    """One boot's files."""

    path: Path

    @property
    def boot_id(self) -> bytes:
        """As the folder's name has it."""
        return bytes.fromhex(self.path.name)

    def evidence(self) -> Evidence:
        """The evidence that binds the receipt key. Raises ProofRejected, CommandFailed, OSError."""
        return Evidence.from_bytes(read_bounded(self._file("evidence"), MAX_EVIDENCE_BYTES))

    def claim(self) -> BootClaim:
        """The parent's claim. Raises ProofRejected (log-form), CommandFailed, OSError."""
        data = read_bounded(self._file("boot.json"), _MAX_CLAIM_BYTES)
        try:
            return msgspec.json.decode(data, type=BootClaim)
        except msgspec.MsgspecError:
            expected = "boot.json of version, boot_id and previous"
            raise ProofRejected(ProofCode.LOG_FORM, expected, "something else") from None

    @contextmanager
    def log(self) -> Iterator[tuple[BinaryIO, BinaryIO]]:
        """Leaves and checkpoints, to be read front to back. Raises ProofRejected (log-form), OSError."""
        with self._file("leaves").open("rb") as leaves, self._file("checkpoints").open("rb") as checkpoints:
            yield leaves, checkpoints

    def _file(self, name: str) -> Path:
        """A pipe or a device, which the parent can put there as well, might never end."""
        path = self.path / name
        if not path.is_file():
            raise ProofRejected(ProofCode.LOG_FORM, f"a file {name}", "none")
        return path


def boots_in(folder: Path) -> list[BootFolder]:
    """The boots in `folder`, by name; plain files in it are not looked at. Raises CommandFailed."""
    found = sorted(each for each in folder.iterdir() if each.is_dir())
    if strange := [each for each in found if not _BOOT_ID.fullmatch(each.name)]:
        raise CommandFailed("file", f"{strange[0]}: expected folders named by boot ids only", EXIT_USAGE)
    if not found:
        raise CommandFailed("file", f"{folder}: expected the folder of at least one boot, got none", EXIT_USAGE)
    return [BootFolder(each) for each in found]
