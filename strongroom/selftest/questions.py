"""What is asked, and what the honest enclave answers: asked once, through an honest gateway, before any attack."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Protocol

from strongroom.client import AsyncClient
from strongroom.client.answers import TextAnswer
from strongroom.client.proofs import Proven
from strongroom.protocol.payloads import ChatTask, InferTask, Message, Task
from strongroom.protocol.tensors import Tensor

CHAT_MODEL, TENSOR_MODEL = "tiny-decoder", "tiny-tensor"
_TENSORS, _CHATS, _CHAT_TRIES = 24, 8, 200
_LEAST_PIECES = 3
_MAX_TOKENS = 18


class Question(Protocol):
    """Something to ask; equal answers compare equal."""

    @property
    def model(self) -> str:
        """The model that is asked."""

    @property
    def task(self) -> Task:
        """What goes inside the seal."""

    async def ask(self, client: AsyncClient) -> Proven:
        """The whole answer, which says that its receipt has verified. Raises StrongroomError."""


@dataclass(frozen=True)
class TensorQuestion:
    """One row of numbers for the tensor model; the answer comes in one chunk."""

    row: tuple[float, float, float, float]
    model: str = TENSOR_MODEL

    @property
    def tensors(self) -> dict[str, Tensor]:
        """The model's input."""
        return {"x": Tensor("float32", [1, 4], struct.pack("<4f", *self.row))}

    @property
    def task(self) -> InferTask:
        """What goes inside the seal."""
        return InferTask(self.tensors)

    async def ask(self, client: AsyncClient) -> Proven:
        """The outputs. Raises StrongroomError."""
        return await client.infer(self.model, self.tensors)


@dataclass(frozen=True)
class ChatQuestion:
    """A prompt for the chat model; the answer comes in a stream of chunks."""

    prompt: str
    model: str = CHAT_MODEL

    @property
    def task(self) -> ChatTask:
        """What goes inside the seal."""
        return ChatTask([Message("user", self.prompt)], max_tokens=_MAX_TOKENS)

    async def ask(self, client: AsyncClient) -> TextAnswer:
        """The text, read as it comes. Raises StrongroomError."""
        return (await self.read(client))[0]

    async def read(self, client: AsyncClient) -> tuple[TextAnswer, int]:
        """The answer, and the number of pieces that its text came in. Raises StrongroomError."""
        async with client.chat(self.prompt, model=self.model, stream=True, max_tokens=_MAX_TOKENS) as stream:
            pieces = [piece async for piece in stream]
            return stream.answer, len(pieces)


@dataclass(frozen=True)
class Known:
    """A question with its honest answer."""

    question: Question
    honest: Proven


@dataclass(frozen=True)
class Questions:
    """Every honest answer is another one, so that an answer to the wrong question shows."""

    tensors: Sequence[Known]
    chats: Sequence[Known]

    @classmethod
    async def collect(cls, client: AsyncClient, rng: Random) -> "Questions":
        """Ask through an honest gateway. Raises StrongroomError."""
        rows = [tuple(rng.uniform(-9, 9) for _ in range(4)) for _ in range(_TENSORS)]
        tensors = [TensorQuestion((a, b, c, d)) for a, b, c, d in rows]
        known = [Known(question, await question.ask(client)) for question in tensors]
        return cls(known, await _long_chats(client, rng))


async def _long_chats(client: AsyncClient, rng: Random) -> list[Known]:
    """Prompts that the model with its random weights answers in several pieces, no two of them alike."""
    found: dict[str, Known] = {}
    for _ in range(_CHAT_TRIES):
        question = ChatQuestion(rng.randbytes(8).hex())
        answer, pieces = await question.read(client)
        if pieces >= _LEAST_PIECES:
            found.setdefault(answer.text, Known(question, answer))
        if len(found) == _CHATS:
            return list(found.values())
    raise RuntimeError(f"expected {_CHATS} prompts with long answers among {_CHAT_TRIES}, got {len(found)}")
