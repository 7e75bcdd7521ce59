"""The dev KMS on a port of this machine: `serve` runs until the process is told to stop."""

import socket
from collections.abc import Awaitable, Callable
from pathlib import Path

import uvicorn

from strongroom.process import emit
from strongroom.simulator.kms.app import Receive, Scope, Send, build_app
from strongroom.simulator.kms.tls import server_certificate

_SHUTDOWN_S = 1

App = Callable[[Scope, Receive, Send], Awaitable[None]]
"""An ASGI application."""


class _AnnouncingServer(uvicorn.Server):
    """Prints one line of JSON once connections are accepted, for the process that waits for it."""

    def __init__(self, config: uvicorn.Config, announcement: dict[str, str | int | None]) -> None:
        super().__init__(config)
        self._announcement = announcement

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        emit("listening", **self._announcement)


def serve(
    state_dir: Path,
    port: int,
    *,
    tls: bool,
    region: str = "us-east-1",
    account: str = "000000000000",
    host: str = "127.0.0.1",
) -> None:
    """Serve the dev KMS of `state_dir` on `port` (0 picks a free one), over TLS or in the clear.

    Prints `{"event": "listening", "port": …, "url": …, "ca": path | null}` when it listens. Clients over TLS
    verify against that CA; the certificate names `kms.<region>.amazonaws.com`, localhost and 127.0.0.1.
    """
    serve_app(build_app(state_dir, region=region, account=account), state_dir, port, tls=tls, region=region, host=host)


def serve_app(app: App, state_dir: Path, port: int, *, tls: bool, region: str, host: str = "127.0.0.1") -> None:
    """As `serve`, for a dev KMS that is there already, or for an app around one."""
    certificate = server_certificate(state_dir, region=region) if tls else None
    with socket.create_server((host, port)) as listener:
        # asyncio sets it only on sockets of a named protocol; without it an answer's body waits 40 ms for an ACK.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        bound = listener.getsockname()[1]
        announcement: dict[str, str | int | None] = {
            "port": bound,
            "url": f"{'https' if tls else 'http'}://{host}:{bound}",
            "ca": str(state_dir / "tls" / "ca.pem") if tls else None,
        }
        config = uvicorn.Config(
            app,
            ssl_certfile=certificate,
            lifespan="off",
            loop="asyncio",  # uvloop waits 30 s, and at times for ever, for a TLS client that does not say goodbye
            timeout_graceful_shutdown=_SHUTDOWN_S,
            access_log=False,
            log_level="warning",
        )
        _AnnouncingServer(config, announcement).run(sockets=[listener])
