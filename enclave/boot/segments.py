"""The segments in which sealed weights come: each connection brings every n-th chunk from one on, each chunk once."""

from collections.abc import Iterator

from enclave.errors import BootRefused
from strongroom.protocol.messages import SealedWeightsHead


def _refused(message: str) -> BootRefused:
    return BootRefused("bad-segment", f"segment: {message}")


class Segment:
    """Cuts the bytes of one connection into sealed chunks: feed it, then `finish`. It has room for one chunk."""

    def __init__(self, head: SealedWeightsHead, first: int, step: int) -> None:
        """It brings chunk `first` and every `step`-th after it; raise BootRefused when the model has no such chunk."""
        if not 0 <= first < head.chunks:
            raise _refused(f"expected a first chunk below {head.chunks}, got another")
        self._head, self._first, self._step, self._next = head, first, step, first
        self._sealed = memoryview(bytearray(head.segment_bytes(first, first + 1)))
        self._filled = 0

    def feed(self, data: bytes) -> Iterator[tuple[int, memoryview]]:
        """The chunks that are whole now, each with its index; raise BootRefused behind the model's last one.

        A chunk is there until the next one is asked for.
        """
        rest = memoryview(data)
        while rest:
            if self._next >= self._head.chunks:
                raise _refused("expected its end at the last chunk of the model, got more bytes")
            size = self._head.segment_bytes(self._next, self._next + 1)
            taken, rest = rest[: size - self._filled], rest[size - self._filled :]
            self._sealed[self._filled : self._filled + len(taken)] = taken
            self._filled += len(taken)
            if self._filled < size:
                return
            index, self._next, self._filled = self._next, self._next + self._step, 0
            yield index, self._sealed[:size]

    def finish(self) -> None:
        """The connection's bytes are over; raise BootRefused unless they were whole chunks, one at least."""
        if self._filled or self._next == self._first:
            raise _refused("expected whole chunks, one at least, got a cut one")


class ChunkLedger:
    """Which chunks of one model have come. It grows with them, not with what the head says."""

    def __init__(self, chunks: int) -> None:
        self._chunks = chunks
        self._claimed: set[int] = set()
        self.settled = 0
        """How many chunks are verified and in their place."""

    @property
    def claimed(self) -> int:
        """How many chunks have come; those that are not settled are being worked on."""
        return len(self._claimed)

    @property
    def complete(self) -> bool:
        """True once every chunk is settled."""
        return self.settled == self._chunks

    def claim(self, index: int) -> None:
        """A chunk has come; raise BootRefused when it came before, in this or in another segment."""
        if index in self._claimed:
            raise _refused(f"expected each chunk once, got chunk {index} twice")
        self._claimed.add(index)

    def settle(self) -> None:
        """One of the claimed chunks is verified and in its place."""
        self.settled += 1
