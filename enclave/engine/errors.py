"""The errors of the inference engine.

    EngineError
    ├── UnknownModel     no model of that id is loaded
    ├── WrongTask        the model does not do what the task asks for
    ├── InvalidRequest   the task's text or messages are not what the model takes
    ├── TooLong          more text than the model's context holds
    ├── InvalidTensor    a tensor whose name, dtype, shape or data the model does not take
    ├── EngineBusy       the queue is full, or the engine is closing: nothing was run
    ├── InferenceFailed  the runtime failed on an admitted request
    └── ModelRejected    raised by loading only: the model package is not one the engine runs

`code` is the failure code that travels inside the seal. No message holds content: onnxruntime's own texts can quote
values of a request, so they are never passed on.
"""

from typing import ClassVar

from strongroom.protocol.payloads import FailureCode


class EngineError(Exception):
    """Base of everything `Engine.run` and `Engine.load` raise."""

    code: ClassVar[FailureCode] = "internal"


class UnknownModel(EngineError):
    """No model of that id is loaded."""

    code = "unknown-model"


class WrongTask(EngineError):
    """The model does not do what the task asks for."""

    code = "wrong-task"


class InvalidRequest(EngineError):
    """The text or the messages are not what the model takes."""

    code = "invalid-request"


class TooLong(EngineError):
    """More text than the model's context holds."""

    code = "too-long"


class InvalidTensor(EngineError):
    """A tensor whose name, dtype, shape or data the model does not take."""

    code = "invalid-tensor"


class EngineBusy(EngineError):
    """The model's queue is full, or the engine is closing: nothing was run, the client may try again."""

    code = "busy"


class InferenceFailed(EngineError):
    """The runtime failed on an admitted request."""


class ModelRejected(EngineError):
    """The model package is not one the engine runs; raised by loading only."""
