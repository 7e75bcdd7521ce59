"""The endpoint as an HTTP server on this machine."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from aiohttp import web

from strongroom.client.endpoint.answering import Endpoint
from strongroom.client.endpoint.bodies import Bodies
from strongroom.client.endpoint.guard import Guard
from strongroom.client.endpoint.limits import Limits
from strongroom.client.endpoint.listening import Listener
from strongroom.client.endpoint.streaming import StreamedReply
from strongroom.surfaces.http import HTTPRequest, Reply
from strongroom.surfaces.refusals import Refused
from strongroom.surfaces.routes import refusal


class LocalServer:
    """Serves `endpoint` on `listener` to whom `guard` lets in, from `start` to `close`."""

    def __init__(self, endpoint: Endpoint, listener: Listener, guard: Guard, limits: Limits | None = None) -> None:
        self._endpoint, self._listener, self._guard, self._limits = endpoint, listener, guard, limits or Limits()
        self._bodies = Bodies(self._limits)

    async def start(self) -> None:
        """Listen, in the running loop."""
        self._server = _Connections(self._handle, self._limits)
        self._accepting = await asyncio.get_running_loop().create_server(self._server, sock=self._listener.socket)

    async def close(self) -> None:
        """Take no more, let what is under way end within its grace, and end. Whoever made the listener closes it."""
        self._accepting.close()
        self._server.pre_shutdown()
        await self._server.shutdown(self._limits.grace_s)

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        try:
            self._guard.check(headers)
            async with self._bodies.of(request) as body:
                meant = HTTPRequest(request.method, request.path, headers, body)
                return await self._send(request, await self._endpoint.answer(meant))
        except Refused as refused:
            return await self._send(request, refusal(request.path, refused))

    async def _send(self, request: web.BaseRequest, reply: Reply | StreamedReply) -> web.StreamResponse:
        response = _response(reply)
        try:
            await self._write(request, response, reply)
        except (TimeoutError, ConnectionError):  # its reader takes nothing more, or is gone
            if request.transport is not None:
                request.transport.abort()
        finally:
            if isinstance(reply, StreamedReply):
                await reply.aclose()
        return response

    async def _write(
        self, request: web.BaseRequest, response: web.StreamResponse, reply: Reply | StreamedReply
    ) -> None:
        await response.prepare(request)
        if isinstance(reply, StreamedReply):
            async for piece in reply:
                async with asyncio.timeout(self._limits.write_s):
                    await response.write(piece)
        async with asyncio.timeout(self._limits.write_s):
            await response.write_eof()


class _Connections(web.Server):
    """Those to callers."""

    def __init__(self, handle: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]], limits: Limits) -> None:
        super().__init__(
            handle,
            handler_cancellation=True,  # who goes away frees the enclave's slot
            auto_decompress=False,
            access_log=None,
            logger=logging.Logger("silent", logging.CRITICAL + 1),  # aiohttp's own quotes bytes of requests, and keys
            keepalive_timeout=limits.idle_s,
            max_headers=64,  # heads come from strangers as well
            max_line_size=4 << 10,
            max_field_size=4 << 10,
            lingering_time=1.0,
        )
        self._limit = limits.connections

    def connection_made(self, handler: web.RequestHandler, transport: asyncio.Transport) -> None:
        """Close it if it is one too many; asyncio makes all that wait before it tells of the first."""
        super().connection_made(handler, transport)
        if len(self.connections) > self._limit:
            transport.close()


def _response(reply: Reply | StreamedReply) -> web.StreamResponse:
    if isinstance(reply, StreamedReply):
        return web.StreamResponse(status=reply.status, headers=reply.headers)
    return web.Response(status=reply.status, headers=reply.headers, body=reply.body)
