"""Tools of attacks: a script that alters what passes, and the parts of a sealed answer."""

import asyncio
from collections.abc import Callable
from random import Random
from typing import NamedTuple

from strongroom.protocol.messages import SealedResponseHead
from strongroom.selftest.gateway import Script
from strongroom.selftest.host import EnclaveHost
from strongroom.selftest.replies import Reply

_FLAG_AND_LENGTH_BYTES = 5


class Answer(NamedTuple):
    """A sealed response, cut at its own lengths."""

    head: bytes
    chunks: list[bytes]

    @classmethod
    def of(cls, body: bytes) -> "Answer":
        """Cut an honest answer of an enclave."""
        at, chunks = SealedResponseHead.SIZE_BYTES, []
        head = body[:at]
        while at < len(body):
            end = at + _FLAG_AND_LENGTH_BYTES + int.from_bytes(body[at + 1 : at + _FLAG_AND_LENGTH_BYTES], "big")
            chunks.append(body[at:end])
            at = end
        return cls(head, chunks)

    def to_bytes(self) -> bytes:
        """Join them again."""
        return self.head + b"".join(self.chunks)


def flipped(rng: Random, data: bytes) -> bytes:
    """One bit of it changed, anywhere."""
    body = bytearray(data)
    body[rng.randrange(len(body))] ^= 1 << rng.randrange(8)
    return bytes(body)


class Tampering(Script):
    """Alters every sealed request, every answer, or both."""

    def __init__(
        self,
        enclave: EnclaveHost,
        *,
        request: Callable[[bytes], bytes] = lambda message: message,
        answer: Callable[[Reply], Reply] = lambda reply: reply,
    ) -> None:
        super().__init__(enclave)
        self._request, self._answer = request, answer

    async def sealed(self, message: bytes) -> Reply:
        """Forward what the alterations make of it. Raises ValueError when they make nothing of it."""
        altered = self._request(message)
        reply = await self.enclave.post(altered)
        told = self._answer(reply)
        if altered == message and told == reply:
            raise ValueError("expected an alteration, got the same bytes")
        return told


class Meeting(Script):
    """One of two requests in flight: waits for the answer to the other, then tells its client a mix of the two."""

    other: "Meeting"

    def __init__(self, enclave: EnclaveHost, mix: Callable[[Answer, Answer], Answer]) -> None:
        super().__init__(enclave)
        self._mix = mix
        self._reply: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()

    @classmethod
    def pair(
        cls, enclaves: tuple[EnclaveHost, EnclaveHost], mix: Callable[[Answer, Answer], Answer]
    ) -> tuple["Meeting", "Meeting"]:
        """Two that know each other."""
        one, two = (cls(enclave, mix) for enclave in enclaves)
        one.other, two.other = two, one
        return one, two

    async def sealed(self, message: bytes) -> Reply:
        """`mix(mine, theirs)`."""
        self._reply.set_result(await self.enclave.post(message))
        mine, theirs = await self._reply, await self.other._reply
        return mine.of(self._mix(Answer.of(mine.body), Answer.of(theirs.body)).to_bytes())
