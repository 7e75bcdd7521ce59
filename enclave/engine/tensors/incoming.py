"""One message of a tensor model's process, as it comes in: bounded and strict, for the process may be anybody's."""

from typing import Final, Generic, TypeVar

import msgspec

from enclave.engine.tensors.messages import LENGTH_BYTES, Answer, Failed, Message, Outgrown, Ports, Refused
from strongroom.protocol.constants import MAX_CHUNK_BYTES

Opening = Ports | Refused
Result = Answer | Failed | Outgrown

MAX_HEAD_BYTES: Final = 1 << 20
"""Holds the ports of any graph that is not rejected: 320, each of a name and 8 symbols of 128 characters."""

_Reply = TypeVar("_Reply", bound=Message)

_OPENING: Final = msgspec.json.Decoder(Opening)
_RESULT: Final = msgspec.json.Decoder(Result)


class Lost(Exception):
    """The process ended, did not answer in time, or said what no process of ours says. Never leaves the engine."""


class Incoming(Generic[_Reply]):
    """A message of the wanted kinds. Nothing is allocated for bytes that have not come."""

    def __init__(self, decoder: msgspec.json.Decoder[_Reply]) -> None:
        self._decoder = decoder
        self._got = bytearray()
        self._message: _Reply | None = None
        self._end = LENGTH_BYTES
        """How many bytes have to be there for the next step."""

    @property
    def is_whole(self) -> bool:
        """Whether the message and its parts have come."""
        return self._message is not None and len(self._got) == self._end

    def take(self, piece: bytes) -> None:
        """The next bytes that came; raise Lost where they are no such message, or more than one."""
        self._got += piece
        if self._end == LENGTH_BYTES <= len(self._got):
            self._end += self._length()
        if self._message is None and LENGTH_BYTES < self._end <= len(self._got):
            self._message = self._head()
            self._end += _parts_bytes(self._message)
        if len(self._got) > self._end:
            raise Lost("expected an end, got more")

    def message(self) -> tuple[_Reply, list[bytes]]:
        """The whole message, and its parts."""
        if self._message is None:
            raise Lost("expected a message, got none")
        parts, at = [], self._end - sum(self._message.sizes)
        for size in self._message.sizes:
            parts.append(bytes(memoryview(self._got)[at : at + size]))
            at += size
        return self._message, parts

    def _length(self) -> int:
        length = int.from_bytes(self._got[:LENGTH_BYTES])
        if not 0 < length <= MAX_HEAD_BYTES:
            raise Lost(f"expected a head of at most {MAX_HEAD_BYTES} bytes, got {length}")
        return length

    def _head(self) -> _Reply:
        try:
            return self._decoder.decode(memoryview(self._got)[LENGTH_BYTES : self._end])
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
            raise Lost("expected a message, got something else") from None


def opening() -> Incoming[Opening]:
    """What a process says first."""
    return Incoming(_OPENING)


def result() -> Incoming[Result]:
    """What it says of a run."""
    return Incoming(_RESULT)


def _parts_bytes(message: Message) -> int:
    size_bytes = sum(message.sizes)
    if size_bytes > MAX_CHUNK_BYTES:
        raise Lost(f"expected at most {MAX_CHUNK_BYTES} bytes of tensors, got {size_bytes}")
    return size_bytes
