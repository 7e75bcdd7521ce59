"""What the log shows for an error of a boot step."""

from enclave.asgi import Disconnected
from enclave.engine.errors import EngineBusy, EngineError
from enclave.errors import EnclaveError
from enclave.nsm.interface import NSMError
from strongroom.protocol.errors import ProtocolError

_CODES: dict[type[Exception], str] = {
    EngineBusy: "no-room",
    ProtocolError: "malformed-input",
    EngineError: "model-rejected",
    NSMError: "nsm-error",
    Disconnected: "input-incomplete",
    TimeoutError: "input-incomplete",
    MemoryError: "no-memory",
}


def code_of(error: Exception) -> str:
    """The enclave's own errors have one; of others only the kind is told."""
    if isinstance(error, EnclaveError):
        return error.code
    return next((code for kind, code in _CODES.items() if isinstance(error, kind)), "internal")
