"""The evil gateway: an HTTP server between clients and enclaves. Each client has a lane, and each lane a script."""

from contextlib import suppress

from aiohttp import web

from strongroom.protocol.constants import PATH_EVIDENCE, PATH_SEALED
from strongroom.protocol.problems import Problem
from strongroom.selftest.host import EnclaveHost
from strongroom.selftest.replies import Reply


class Script:
    """An honest gateway in front of one enclave; attacks override what they alter."""

    def __init__(self, enclave: EnclaveHost) -> None:
        self.enclave = enclave
        self.messages: list[bytes] = []
        """The sealed requests that came, in their order."""

    async def live(self, query: str) -> Reply:
        """Evidence for a client's nonce, which is in `query`."""
        return await self.enclave.get(f"{PATH_EVIDENCE}?{query}")

    async def by_digest(self, digest: str) -> Reply:
        """Evidence that a response named."""
        return await self.enclave.get(f"{PATH_EVIDENCE}/{digest}")

    async def sealed(self, message: bytes) -> Reply:
        """The answer to a sealed request."""
        return await self.enclave.post(message)


class Lane:
    """One client's way through the gateway; whoever drives the client sets the script."""

    def __init__(self, url: str, script: Script) -> None:
        self.url, self.script = url, script
        self.failure: Exception | None = None
        """What went wrong in the script, or on its way to the enclave: that is no refusal."""


class EvilGateway:
    """Listens on a port of the loopback interface."""

    def __init__(self) -> None:
        self._lanes: list[Lane] = []
        self._url = ""

    async def start(self) -> None:
        """Listen."""
        self._runner = web.ServerRunner(web.Server(self._serve, access_log=None), shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        host, port = self._runner.addresses[0][:2]
        self._url = f"http://{host}:{port}"

    async def stop(self) -> None:
        """Close every connection."""
        await self._runner.cleanup()

    def lane(self, script: Script) -> Lane:
        """A new lane: the URL of a gateway for one client."""
        lane = Lane(f"{self._url}/{len(self._lanes)}", script)
        self._lanes.append(lane)
        return lane

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        _, number, rest = request.path.split("/", 2)
        lane = self._lanes[int(number)]
        try:
            reply = await _follow(lane.script, request, f"/{rest}")
        except Exception as failure:
            lane.failure, reply = failure, Reply.problem(Problem.INTERNAL)
        return await _write(request, reply)


async def _follow(script: Script, request: web.BaseRequest, path: str) -> Reply:
    if path == PATH_SEALED:
        message = await request.read()
        script.messages.append(message)
        return await script.sealed(message)
    if path == PATH_EVIDENCE:
        return await script.live(request.query_string)
    if path.startswith(f"{PATH_EVIDENCE}/"):
        return await script.by_digest(path.rpartition("/")[2])
    return await script.enclave.get(path)


async def _write(request: web.BaseRequest, reply: Reply) -> web.StreamResponse:
    response = web.StreamResponse(status=reply.status, headers=[("Content-Type", reply.media_type), *reply.headers])
    response.content_length = reply.announced
    with suppress(ConnectionError):  # a client that refuses hangs up
        await response.prepare(request)
        await response.write(reply.body)
        if not reply.missing_bytes:
            await response.write_eof()
    if reply.missing_bytes and request.transport is not None:
        request.transport.close()
    return response
