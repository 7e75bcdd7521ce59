"""Fake enclaves and a real gateway in one event loop, and a raw client that can misbehave."""

import asyncio
import hashlib
import io
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import aiohttp
import uvicorn
from fastapi import FastAPI
from starlette.types import Receive, Scope, Send

from attestation.evidence import Evidence
from parent.app import create_app
from parent.serving import gateway_server, public_listener
from parent.settings import EnclaveAddresses, Limits, Settings
from strongroom.protocol.constants import MEDIA_EVIDENCE, MEDIA_SEALED_REQUEST, MEDIA_SEALED_RESPONSE
from strongroom.protocol.messages import SealedRequestHead
from strongroom.protocol.problems import Problem
from strongroom.protocol.ways import WayIn
from strongroom.transport.addresses import UnixAddress
from strongroom.transport.sockets import listen

Handler = Callable[["Exchange"], Awaitable[None]]
CANARY = "canary-7f3a9d"
SEALED = {"Content-Type": MEDIA_SEALED_REQUEST}
KEY = b"a key configuration, whose form is not the gateway's business"


def request_to(key: bytes = KEY, *, suite: WayIn = WayIn.XWING, body: bytes = b"") -> bytes:
    """A sealed request as far as the gateway can tell, to that key configuration."""
    head = SealedRequestHead(suite, hashlib.sha256(key).digest(), bytes(16), 1_790_000_000_000, "m")
    return head.to_bytes() + body


def evidence_of(*keys: bytes) -> bytes:
    """Evidence as far as routing reads it."""
    configurations = b"".join(len(key).to_bytes(2, "big") + key for key in keys)
    key_list = b"SRK\x01" + bytes([len(keys)]) + configurations + b"what else it says"
    return Evidence(b"\x84document", key_list, b"\x04" + bytes(64)).to_bytes()


REQUEST = request_to()
HEADERS = b"POST /v1/sealed HTTP/1.1\r\nHost: a\r\nContent-Type: application/vnd.strongroom.sealed-request\r\n"
POST = HEADERS + b"Content-Length: %d\r\n\r\n" % len(REQUEST) + REQUEST
"""A whole sealed request to KEY on the wire."""


@dataclass
class Exchange:
    """One request as the fake enclave sees it."""

    scope: Scope
    receive: Receive
    send: Send

    async def body(self) -> bytes:
        body = b""
        more = True
        while more:
            message = await self.receive()
            assert message["type"] == "http.request"
            body += message.get("body", b"")
            more = message.get("more_body", False)
        return body

    async def start(self, status: int, media_type: str) -> None:
        headers = [(b"content-type", media_type.encode())]
        await self.send({"type": "http.response.start", "status": status, "headers": headers})

    async def chunk(self, body: bytes, *, more: bool = True) -> None:
        await self.send({"type": "http.response.body", "body": body, "more_body": more})

    async def answer(self, status: int, media_type: str, body: bytes) -> None:
        await self.start(status, media_type)
        await self.chunk(body, more=False)

    async def refuse(self, problem: Problem) -> None:
        await self.answer(problem.status, "application/problem+json", problem.to_bytes())

    async def disconnected(self) -> None:
        while (await self.receive())["type"] != "http.disconnect":
            pass


@dataclass
class FakeEnclave:
    """A bare ASGI app: `METHOD path` → handler; remembers which requests came over which connection."""

    handlers: dict[str, Handler] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        query = scope["query_string"].decode()
        key = f"{scope['method']} {scope['path']}"
        self.requests.append(key + (f"?{query}" if query else ""))
        await self.handlers[key](Exchange(scope, receive, send))


async def echo(exchange: Exchange) -> None:
    await exchange.answer(200, MEDIA_SEALED_RESPONSE, await exchange.body())


def fixed(status: int, media_type: str, body: bytes) -> Handler:
    async def handler(exchange: Exchange) -> None:
        await exchange.body()
        await exchange.answer(status, media_type, body)

    return handler


def refusing(problem: Problem) -> Handler:
    return fixed(problem.status, "application/problem+json", problem.to_bytes())


def holding(*keys: bytes) -> dict[str, Handler]:
    """Handlers of an enclave that states those keys and is never found ready."""
    return {
        "GET /v1/attestation": refusing(Problem.BUSY),
        "GET /v1/evidence": fixed(200, MEDIA_EVIDENCE, evidence_of(*keys)),
    }


def enclaves_in(folder: Path, *names: str) -> tuple[EnclaveAddresses, ...]:
    """The API addresses of enclaves by the names of their sockets."""
    return tuple(EnclaveAddresses(UnixAddress(folder / name)) for name in names or ("api",))


@asynccontextmanager
async def running(server: uvicorn.Server, listener: socket.socket) -> AsyncIterator[None]:
    """Serve beside the block: `Server.serve` without its signals and its tenths of seconds (see test_process)."""
    server.config.load()
    server.lifespan = server.config.lifespan_class(server.config)
    await server.startup([listener])
    state = server.server_state
    try:
        yield
    finally:
        for accepting in server.servers:
            accepting.close()
        for connection in list(state.connections):
            connection.transport.abort()
        for task in list(state.tasks):
            task.cancel()
        await asyncio.gather(*state.tasks, return_exceptions=True)
        await server.lifespan.shutdown()


@asynccontextmanager
async def enclave_at(path: Path, app: FakeEnclave) -> AsyncIterator[uvicorn.Server]:
    """The fake enclave on a UNIX socket."""
    config = uvicorn.Config(app, lifespan="off", log_config=None, log_level="critical", loop="asyncio", ws="none")
    server = uvicorn.Server(config)
    async with running(server, listen(UnixAddress(path))):
        yield server


@dataclass
class Gateway:
    """A running gateway and ways to talk to it."""

    server: uvicorn.Server
    port: int
    app: FastAPI
    session: aiohttp.ClientSession

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def get(self, path: str, **options: object) -> "Reply":
        return await self.request("GET", path, **options)

    async def request(self, method: str, path: str, **options: object) -> "Reply":
        async with self.session.request(method, self.url + path, **options) as response:  # type: ignore[arg-type]  # test helper
            return Reply(response.status, dict(response.headers), await response.read())

    async def seal(self, body: bytes = REQUEST, **options: object) -> "Reply":
        return await self.request("POST", "/v1/sealed", data=io.BytesIO(body), headers=SEALED, **options)

    async def raw(self, *parts: bytes) -> "RawConnection":
        connection = RawConnection(*await asyncio.open_connection("127.0.0.1", self.port))
        for part in parts:
            await connection.send(part)
        return connection


@dataclass
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def problem(self) -> Problem:
        """The problem that this reply is, byte for byte."""
        assert self.headers["Content-Type"] == "application/problem+json"
        found = [problem for problem in Problem if problem.to_bytes() == self.body]
        assert len(found) == 1
        assert found[0].status == self.status
        return found[0]


@dataclass
class RawConnection:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def rest(self) -> bytes:
        """Everything until the server closes; a reset counts as closing."""
        received = b""
        try:
            async with asyncio.timeout(5):
                while data := await self.reader.read(65536):
                    received += data
        except ConnectionResetError:
            pass
        self.close()
        return received

    def close(self) -> None:
        self.writer.transport.abort()


def problem_of(message: bytes) -> Problem:
    """The problem that a raw HTTP message carries."""
    head, _, body = message.partition(b"\r\n\r\n")
    found = [problem for problem in Problem if problem.to_bytes() == body]
    assert len(found) == 1, message
    assert head.startswith(b"HTTP/1.1 %d " % found[0].status)
    return found[0]


@asynccontextmanager
async def gateway_to(folder: Path, settings: Settings | None = None, **limits: float) -> AsyncIterator[Gateway]:
    """A gateway whose enclave listens (or not) at folder/api; its background readiness stays quiet."""
    settings = settings or Settings(enclaves=enclaves_in(folder))
    settings = replace(settings, port=0, limits=replace(settings.limits, **limits))  # type: ignore[arg-type]  # numbers
    app = create_app(settings)
    server = gateway_server(app, settings)
    listener = public_listener(settings)
    async with aiohttp.ClientSession(skip_auto_headers=["Content-Type"]) as session, running(server, listener):
        yield Gateway(server, listener.getsockname()[1], app, session)


@asynccontextmanager
async def appliance(folder: Path, handlers: Mapping[str, Handler], **limits: float) -> AsyncIterator[Gateway]:
    """A fake enclave that holds KEY, and a gateway in front of it."""
    async with observed_appliance(folder, handlers, **limits) as (gateway, _):
        yield gateway


@asynccontextmanager
async def observed_appliance(
    folder: Path, handlers: Mapping[str, Handler], **limits: float
) -> AsyncIterator[tuple[Gateway, FakeEnclave]]:
    """The same, with the enclave."""
    enclave = FakeEnclave({**holding(KEY), **handlers})
    async with enclave_at(folder / "api", enclave), gateway_to(folder, None, **limits) as gateway:
        yield gateway, enclave


async def eventually(holds: Callable[[], bool]) -> None:
    """Return as soon as the condition holds; fail after five seconds."""
    async with asyncio.timeout(5):
        while True:
            if holds():
                return
            await asyncio.sleep(0.005)


QUICK = Limits(head_timeout_s=0.2, request_timeout_s=0.4, idle_timeout_s=1, write_stall_timeout_s=0.2)
