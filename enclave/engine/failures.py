"""What is told of a task that did not come to its end."""

from enclave.engine.cancellation import Cancelled
from enclave.engine.errors import EngineBusy, EngineError, InferenceFailed


def cancelled() -> EngineBusy:
    """Of one that was cancelled; a caller who left does not hear it."""
    return EngineBusy("the request was cancelled, since the engine is closing")


def failure_of(error: BaseException, what: str = "the model") -> EngineError:
    """Of one in which `what` raised this, which may be the panic of a native library and no Exception.

    The error is made anew: by its frames the raised one knows all that was run together, and anybody's text.
    """
    if isinstance(error, Cancelled):
        return cancelled()
    if isinstance(error, EngineError):
        return type(error)(*error.args)
    return InferenceFailed(f"expected {what} to finish, got {type(error).__name__}")
