"""How the keeping of an audit log fares, in one word."""

from enum import StrEnum

from parent.answer import EnclaveProblem
from parent.audit.errors import LogForked, LogGap, LogInUse
from parent.errors import EnclaveBroken, EnclaveError
from strongroom.protocol.problems import Problem


class AuditState(StrEnum):
    """The outcome of the latest pull."""

    WAITING = "waiting"
    """Nothing was pulled yet."""
    KEPT = "kept"
    UNREACHABLE = "unreachable"
    """The enclave does not answer; its readiness says more."""
    GAP = "gap"
    """The enclave no longer keeps the next leaf."""
    FORK = "fork"
    """What it signed and what is stored cannot be the same log."""
    BROKEN = "broken"
    """An answer that is no page of this boot's log, or an error that nobody foresaw."""
    DISK = "disk"
    """The folder cannot be read or written, or is another process's."""

    @property
    def alarming(self) -> bool:
        """Somebody must look: waiting alone does not mend it."""
        return self not in (AuditState.WAITING, AuditState.KEPT, AuditState.UNREACHABLE)


def state_after(error: Exception) -> AuditState:
    """What a failed pull means."""
    match error:
        case LogGap():
            return AuditState.GAP
        case LogForked():
            return AuditState.FORK
        case LogInUse() | OSError():
            return AuditState.DISK
        case EnclaveProblem(problem=Problem.BUSY):
            return AuditState.UNREACHABLE
        case EnclaveBroken():
            return AuditState.BROKEN
        case EnclaveError():
            return AuditState.UNREACHABLE
        case _:
            return AuditState.BROKEN
