"""Bodies of requests, within bounds: of each one, and of all that are under way."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from io import BytesIO
from typing import Final

from aiohttp import HttpVersion11, web

from strongroom.client.endpoint.limits import Limits
from strongroom.surfaces.refusals import RETRY_AFTER_S, Refused

_GO_ON: Final = b"HTTP/1.1 100 Continue\r\n\r\n"


class Bodies:
    """Reads bodies, whole; all count together from their first bytes until their requests are answered."""

    def __init__(self, limits: Limits) -> None:
        self._limits, self._held_bytes = limits, 0

    @asynccontextmanager
    async def of(self, request: web.BaseRequest) -> AsyncIterator[bytes]:
        """The body of a request, which is answered in this block. Raises Refused."""
        body = BytesIO()
        try:
            self._check_declared(request.content_length or 0)
            await self._read(request, body)
            yield body.getvalue()  # without a copy
        finally:
            self._held_bytes -= body.tell()

    async def _read(self, request: web.BaseRequest, body: BytesIO) -> None:
        try:
            async with asyncio.timeout(self._limits.body_s):
                await _go_on(request)
                async for piece in request.content.iter_any():
                    self._held_bytes += body.write(piece)
                    self._check(body.tell())
        except TimeoutError:
            message = f"expected the whole request within {self._limits.body_s:g} s, got a part of it"
            raise Refused(HTTPStatus.REQUEST_TIMEOUT, "timed-out", message) from None

    def _check_declared(self, body_bytes: int) -> None:
        if body_bytes > self._limits.body_bytes:
            raise self._too_large(f"{body_bytes}")

    def _check(self, body_bytes: int) -> None:
        if body_bytes > self._limits.body_bytes:
            raise self._too_large("more")
        if self._held_bytes > self._limits.bodies_bytes:
            message = f"expected bodies of at most {self._limits.bodies_bytes} bytes under way, got more: ask again"
            raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, "busy", message, retry_after_s=RETRY_AFTER_S)

    def _too_large(self, actual: str) -> Refused:
        message = f"expected a body of at most {self._limits.body_bytes} bytes, got {actual}"
        return Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too-large", message)


async def _go_on(request: web.BaseRequest) -> None:
    """Who expects to be told so (RFC 9110, 10.1.1) sends no body before, or sends it late."""
    if request.version >= HttpVersion11 and request.headers.get("Expect", "").lower() == "100-continue":
        await request.writer.write(_GO_ON)
