"""What the enclave answered, checked against the contract: expected media types, or one of five fixed problems."""

from collections.abc import AsyncIterator
from http import HTTPStatus

import aiohttp

from parent.errors import EnclaveBroken, GatewayError
from strongroom.protocol.problems import Problem

_ENCLAVE_PROBLEMS = (Problem.REJECTED, Problem.REPLAYED, Problem.TOO_LARGE, Problem.STALE_KEY, Problem.BUSY)
# The only refusals that an enclave utters outside the seal (R20): the status says which, its body is not needed.
_BY_STATUS = {int(problem.status): problem for problem in _ENCLAVE_PROBLEMS}


class EnclaveProblem(GatewayError):
    """The enclave refused, with one of the five problems that it knows."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(f"the enclave answered {problem.code}")
        self.problem = problem


class Answer:
    """Status, declared type and length, and the bytes as they arrive; made by EnclaveLink.exchange."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self._response.status

    @property
    def media_type(self) -> str:
        """The Content-Type field as sent, or nothing."""
        return self._response.headers.get("Content-Type", "")

    @property
    def length(self) -> int | None:
        """The declared length in bytes, None when it comes in chunks."""
        return self._response.content_length

    def chunks(self) -> AsyncIterator[bytes]:
        """The body as it arrives; unread bytes hold the enclave back."""
        return self._response.content.iter_any()

    async def read(self, max_bytes: int) -> bytes:
        """The whole body. Raises EnclaveBroken beyond `max_bytes`."""
        body = bytearray()
        async for chunk in self.chunks():
            body += chunk
            if len(body) > max_bytes:
                raise EnclaveBroken(f"expected an answer of at most {max_bytes} bytes, got more")
        return bytes(body)

    def expect(self, *media_types: str) -> None:
        """Return when this is a 200 of one of those types. Raises EnclaveProblem, EnclaveBroken."""
        if self.status == HTTPStatus.OK and self.media_type in media_types:
            return
        if problem := _BY_STATUS.get(self.status):
            raise EnclaveProblem(problem)
        raise EnclaveBroken(f"expected 200 with {' or '.join(media_types)}, or a known problem, got {self.status}")
