"""Generated text, read as it comes."""

from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import Self

from strongroom.client.answers import TextAnswer
from strongroom.client.collecting import TextCollector
from strongroom.client.errors import ClientClosed
from strongroom.client.loop_thread import LoopThread
from strongroom.client.proofs import Part
from strongroom.client.waiting import Ended, Waiting


class AsyncTextStream:
    """The pieces of one answer, each opened and authenticated before it comes out; `answer` after the last.

    Leaving the loop early and dropping the stream, or `aclose`, closes the connection. Whoever reads it meanwhile gets
    AnswerTruncated.
    """

    def __init__(self, parts: AsyncGenerator[Part, None]) -> None:
        self._parts, self._waiting = parts, Waiting()
        self._collector = TextCollector()

    @property
    def answer(self) -> TextAnswer:
        """The whole answer, its receipt verified. Raises AnswerTruncated unless the stream was read to its end."""
        return self._collector.answer()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> str:
        while (part := await self._next()) is not None:
            if text := self._collector.add(part):
                return text
        self._collector.answer()
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """Stop reading and close the connection, unless the stream has ended."""
        if not self._waiting.end():
            await self._parts.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def _next(self) -> Part | None:
        """The next part; None after the last, or when the stream is closed meanwhile."""
        with suppress(Ended):
            return await self._waiting.of(anext(self._parts, None))
        return None


class TextStream:
    """The same for threads; any of them may close it.

    Leave an unfinished stream with `close`, or use it as a context manager: that closes its connection.
    """

    def __init__(self, stream: AsyncTextStream, loop: LoopThread) -> None:
        self._stream, self._loop = stream, loop

    @property
    def answer(self) -> TextAnswer:
        """The whole answer, its receipt verified. Raises AnswerTruncated unless the stream was read to its end."""
        return self._stream.answer

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> str:
        piece = self._loop.run(self._next())
        if piece is None:
            raise StopIteration
        return piece

    def close(self) -> None:
        """Stop reading and close the connection, unless the stream has ended."""
        with suppress(ClientClosed):
            self._loop.run(self._stream.aclose())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def _next(self) -> str | None:
        return await anext(self._stream, None)
