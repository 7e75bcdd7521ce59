"""The folder of all audit logs: one folder for each boot, and `last.json`: the boot that each enclave was last seen in.

Nobody signed which boot came before another: it is this gateway's claim.
"""

import json
import re
import threading
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from parent.audit.boot_log import BootLog
from parent.audit.files import make_folder, put
from parent.audit.origin import Origin
from parent.audit.recovery import finish
from parent.errors import SettingsError

_BOOT_ID = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class AuditLedger:
    """Shared by the keepers of all enclaves, each in its thread."""

    folder: Path
    _last_changes: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    @classmethod
    def at(cls, folder: Path) -> Self:
        """Make the folder unless it is there. Raises SettingsError."""
        try:
            make_folder(folder)
        except OSError as error:
            raise SettingsError(f"STRONGROOM_AUDIT_LOG: expected a folder to write to ({error.strerror})") from None
        return cls(folder)

    def open(self, enclave: str, origin: Origin) -> BootLog:
        """The log of that boot of an enclave, named by its address. Blocks. Raises OSError, AuditError.

        When the enclave was last seen in another boot, that one's log is finished.
        """
        boot = origin.boot_id.hex()
        with self._last_changes:
            last = self._last()
            previous = last.get(enclave)
            if previous != boot:
                if previous is not None:
                    finish(self.folder / previous)
                with ExitStack() as opened:
                    log = opened.enter_context(closing(BootLog.open(self.folder / boot, origin, previous)))
                    put(self._last_path, json.dumps({**last, enclave: boot}).encode())
                    opened.pop_all()
                return log
        return BootLog.open(self.folder / boot, origin, None)

    @property
    def _last_path(self) -> Path:
        return self.folder / "last.json"

    def _last(self) -> dict[str, str]:
        """What was noted, without entries that cannot be ours."""
        try:
            noted = json.loads(self._last_path.read_bytes())
        except (FileNotFoundError, ValueError, RecursionError):
            return {}
        entries = noted.items() if isinstance(noted, dict) else ()
        return {name: boot for name, boot in entries if isinstance(boot, str) and _BOOT_ID.fullmatch(boot)}
