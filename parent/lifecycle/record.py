"""What stands in the state folder: each enclave as its supervisor last saw it."""

from enum import StrEnum

import msgspec

from parent.lifecycle.launcher import Launched
from strongroom.protocol.constants import BootState


class State(StrEnum):
    """Where one enclave is in its life."""

    STARTING = "starting"
    """The launcher is at work."""
    BOOTING = "booting"
    """Its control interface does not answer yet, or no more."""
    BOOTED = "booted"
    """It waits for the gateway to configure it."""
    CONFIGURED = "configured"
    """It was configured; `step` says how far it is. It has not proved itself."""
    READY = "ready"
    """A document with a fresh nonce verified."""
    WAITING = "waiting"
    """It ended, and will be started again."""
    GIVEN_UP = "given-up"
    """It ended too often."""
    STOPPED = "stopped"
    """By the operator."""
    STALE = "stale"
    """Its supervisor is gone, so that nobody knows. No supervisor writes this."""


class Record(msgspec.Struct, forbid_unknown_fields=True):
    """One enclave. Instants are milliseconds since the epoch; addresses are as strongroom.transport writes them."""

    number: int
    state: State = State.STARTING
    since_ms: int = 0
    """When it entered that state."""
    started_ms: int | None = None
    """When its present life began; None while it has none."""
    enclave_id: str | None = None
    pid: int | None = None
    cid: int | None = None
    api: str | None = None
    control: str | None = None
    log: str | None = None
    pcr0: str | None = None
    step: BootState | None = None
    """The enclave's own word."""
    readiness: str = "no document was judged yet"
    restarts: int = 0
    ending: str | None = None
    """How its last life ended."""
    last_lines: list[str] = []
    """Of that life's log, or of its console."""

    def begin(self, launched: Launched, at_ms: int) -> None:
        """A life begins."""
        self.started_ms, self.step, self.readiness = at_ms, None, "no document was judged yet"
        self.enclave_id, self.pid, self.cid, self.pcr0 = (
            launched.enclave_id,
            launched.pid,
            launched.cid,
            launched.pcr0,
        )
        self.api, self.control, self.log = map(str, (launched.api, launched.control, launched.log))

    def end(self, ending: str, last_lines: list[str]) -> None:
        """It ended: nothing listens any more."""
        self.started_ms = self.enclave_id = self.pid = self.cid = self.step = None
        self.api = self.control = self.log = None
        self.ending, self.last_lines = ending, last_lines

    def stale(self) -> "Record":
        """It, as it is known once its supervisor is gone: what was seen of it last is said to be that."""
        seen = f"its supervisor is gone, which saw it {self.state} last"
        return msgspec.structs.replace(self, state=State.STALE, started_ms=None, step=None, readiness=seen)


class Standing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A whole state file."""

    launcher: str
    supervisor_pid: int
    enclaves: list[Record]
