"""aiohttp over the transport of the house: the only way from the parent into the enclave."""

from aiohttp import BaseConnector, ClientConnectorError, ClientRequest, ClientTimeout
from aiohttp.client_proto import ResponseHandler
from aiohttp.client_reqrep import ConnectionKey
from aiohttp.connector import Connection
from aiohttp.tracing import Trace

from strongroom.transport.addresses import Address
from strongroom.transport.sockets import connect

# Shorter than a server's own patience (uvicorn: 5 s), so that a request seldom meets a connection just being closed.
_IDLE_S = 4.0


class SocketConnector(BaseConnector):
    """A pool of at most `limit` connections to one vsock or UNIX address, whatever host a URL names."""

    def __init__(self, address: Address, *, connect_timeout_s: float, limit: int) -> None:
        super().__init__(keepalive_timeout=_IDLE_S, limit=limit)
        self._address, self._connect_timeout_s = address, connect_timeout_s

    async def _get(self, key: ConnectionKey, traces: list[Trace]) -> Connection | None:
        # aiohttp judges a connection when it returns to the pool; what arrives later would answer the next question.
        while (connection := await super()._get(key, traces)) is not None:
            if connection.protocol is not None and not connection.protocol.should_close:
                return connection
            connection.close()
        return None

    async def _create_connection(
        self,
        req: ClientRequest,
        traces: list[Trace],
        timeout: ClientTimeout,  # noqa: ASYNC109  # aiohttp's signature
    ) -> ResponseHandler:
        try:
            connection = await connect(self._address, self._connect_timeout_s)
        except OSError as error:
            raise ClientConnectorError(req.connection_key, error) from error
        try:
            _, protocol = await self._loop.create_connection(self._factory, sock=connection)
        except BaseException:
            connection.close()
            raise
        return protocol
