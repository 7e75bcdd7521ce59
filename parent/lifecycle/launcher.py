"""What starts enclaves and ends them: nitro-cli in production, QEMU and the simulator on a developer's machine."""

from dataclasses import dataclass
from typing import Protocol

from parent.lifecycle.image import Image
from strongroom.transport.addresses import Address


@dataclass(frozen=True)
class Order:
    """One enclave to start; `number` counts from 1, as the gateway counts. Its image is None where there is none.

    There is no debug mode: its documents hold zeros for PCR0 to 2, and prove nothing.
    """

    number: int
    cid: int
    cpus: int
    memory_mib: int
    image: Image | None


@dataclass(frozen=True)
class Launched:
    """An enclave that was started: the launcher's own name for it, the process that holds it, where it listens.

    `pcr0` is what it measures, in hex; `cid` is None where a UNIX socket stands in for vsock.
    """

    enclave_id: str
    pid: int
    cid: int | None
    pcr0: str
    api: Address
    control: Address
    log: Address


class Launcher(Protocol):
    """Calls but `abandon` block, and are made one at a time. They raise LauncherMissing, LaunchFailed, OSError."""

    name: str

    def start(self, order: Order) -> Launched:
        """Start one. That it listens or serves is not said yet."""

    def abandon(self, number: int) -> None:
        """Let a start of that number that is under way fail soon, if it can; from another thread, and never blocks."""

    def ending(self, launched: Launched) -> str | None:
        """How it ended, in a few words, or None while it runs."""

    def terminate(self, enclave_id: str) -> None:
        """End one and wait for it; one that has ended is no error."""

    def console(self, launched: Launched) -> list[str]:
        """The last lines of its console, oldest first; none where it has none, as in production."""
