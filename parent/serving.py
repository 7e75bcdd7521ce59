"""uvicorn, set up the one way that the gateway is meant to run."""

import math
import socket
from typing import Any

import uvicorn
from fastapi import FastAPI

from parent.deadlines import guarded_protocol
from parent.settings import Limits, Settings

_BACKLOG = 512
"""Connections that asyncio may accept in one turn, before any of them is judged."""
_OTHER_DESCRIPTORS = 64


def public_listener(settings: Settings) -> socket.socket:
    """The listening socket of the public port, before anything else is started. Raises OSError."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.create_server((settings.host, settings.port), family=family)
    # asyncio sets it only on sockets of a named protocol; without it an answer's body can wait 40 ms for an ACK.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def descriptors_needed(limits: Limits) -> int:
    """How many descriptors the process may hold at once under these limits."""
    return 2 * limits.max_connections + limits.max_exchanges + _BACKLOG + _OTHER_DESCRIPTORS


def gateway_server(app: FastAPI, settings: Settings) -> uvicorn.Server:
    """The server for an application: deadlines, bounds, no access log, no banner, bounded drain."""
    limits = settings.limits
    options: dict[str, Any] = {
        # uvloop's sock_connect resolves names for every family but AF_UNIX, so it cannot dial AF_VSOCK.
        "loop": "asyncio",
        "http": guarded_protocol(limits),
        "ws": "none",
        "lifespan": "on",
        "interface": "asgi3",
        "log_config": None,
        "log_level": "error",
        "access_log": False,
        "server_header": False,
        "proxy_headers": False,
        "backlog": _BACKLOG,
        "timeout_keep_alive": math.ceil(limits.idle_timeout_s),
        "timeout_graceful_shutdown": math.ceil(limits.drain_timeout_s),
    }
    return uvicorn.Server(uvicorn.Config(app, **options))
