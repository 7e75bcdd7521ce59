"""The user's side: trusts nobody but an attestation that satisfies the user's own policy."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from strongroom.client.aio import AsyncClient
    from strongroom.client.envelopes import EnvelopeSealer
    from strongroom.client.errors import (
        AnswerTruncated,
        AttestationRefused,
        ClientClosed,
        GatewayProblem,
        InvalidArgument,
        PolicyRequired,
        ReceiptRefused,
        RequestRefused,
        SealBroken,
        StaleKey,
        StrongroomError,
        TimedOut,
        Unreachable,
    )
    from strongroom.client.submitter import Submitter
    from strongroom.client.sync import Client
    from strongroom.client.terms import Terms
    from strongroom.client.tickets import Ticket

__all__ = [
    "AnswerTruncated",
    "AsyncClient",
    "AttestationRefused",
    "Client",
    "ClientClosed",
    "EnvelopeSealer",
    "GatewayProblem",
    "InvalidArgument",
    "PolicyRequired",
    "ReceiptRefused",
    "RequestRefused",
    "SealBroken",
    "StaleKey",
    "StrongroomError",
    "Submitter",
    "Terms",
    "Ticket",
    "TimedOut",
    "Unreachable",
]

_MODULES = {
    "AsyncClient": "aio",
    "Client": "sync",
    "EnvelopeSealer": "envelopes",
    "Submitter": "submitter",
    "Terms": "terms",
    "Ticket": "tickets",
}


def __getattr__(name: str) -> object:
    """Import on first use (PEP 562): `import strongroom.client` loads neither aiohttp nor cryptography."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES.get(name, 'errors')}"), name)
