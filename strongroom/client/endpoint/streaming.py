"""A streamed answer on its way out."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from http import HTTPStatus
from typing import Final

from strongroom.client.proofs import Part, Proof
from strongroom.surfaces.calls import Call, StreamedCall
from strongroom.surfaces.openai import errors
from strongroom.surfaces.openai.sse import MEDIA_TYPE
from strongroom.surfaces.refusals import Refused


class StreamedReply:
    """An answer as it comes: iterate over its bytes, and close it, whether or not they came to their end.

    Its text was opened and authenticated piece by piece. Why it ended, its usage and `[DONE]` come once it is proved; a
    stream that fails ends with an error event instead. Closing closes the connection to the gateway.
    """

    status: Final = HTTPStatus.OK

    def __init__(
        self,
        call: StreamedCall,
        first: Part,
        parts: AsyncGenerator[Part, None],
        keep: Callable[[str, Part], None],
        refused: Callable[[Exception], Refused],
    ) -> None:
        self._call, self._first, self._parts, self._keep, self._refused = call, first, parts, keep, refused

    @property
    def headers(self) -> dict[str, str]:
        """What goes before the bytes."""
        return {"content-type": MEDIA_TYPE, "cache-control": "no-store", **naming(self._call)}

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            yield self._written(self._first)
            async for part in self._parts:
                yield self._written(part)
        except Exception as error:
            yield errors.streamed(self._refused(error))

    async def aclose(self) -> None:
        """Stop reading; of an answer that has not ended, the enclave stops making it."""
        await self._parts.aclose()

    def _written(self, part: Part) -> bytes:
        if not isinstance(part, Proof):
            return self._call.writer.piece(part)
        self._keep(self._call.id, part)
        return self._call.writer.end()


def naming(call: Call) -> dict[str, str]:
    """The id of the answer, under which its proof is kept, where clients of the OpenAI API look for it."""
    return {"x-request-id": call.id}
