"""The user's side: trusts nobody but an attestation that satisfies the user's own policy."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from strongroom.client.aio import AsyncClient
    from strongroom.client.errors import (
        AnswerTruncated,
        AttestationRefused,
        ClientClosed,
        GatewayProblem,
        InvalidArgument,
        PolicyRequired,
        RequestRefused,
        SealBroken,
        StaleKey,
        StrongroomError,
        TimedOut,
        Unreachable,
    )
    from strongroom.client.sync import Client

__all__ = [
    "AnswerTruncated",
    "AsyncClient",
    "AttestationRefused",
    "Client",
    "ClientClosed",
    "GatewayProblem",
    "InvalidArgument",
    "PolicyRequired",
    "RequestRefused",
    "SealBroken",
    "StaleKey",
    "StrongroomError",
    "TimedOut",
    "Unreachable",
]

_MODULES = {"AsyncClient": "aio", "Client": "sync"}


def __getattr__(name: str) -> object:
    """Import on first use (PEP 562): `import strongroom.client` loads neither aiohttp nor cryptography."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES.get(name, 'errors')}"), name)
