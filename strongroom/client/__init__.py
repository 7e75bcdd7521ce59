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
    from strongroom.client.resting.opening import open_files
    from strongroom.client.resting.outcomes import FileOutcome
    from strongroom.client.resting.sealing import seal_files
    from strongroom.client.resting.submitting import submit_files
    from strongroom.client.session import AttestedSession
    from strongroom.client.submitter import Submitter
    from strongroom.client.sync import Client
    from strongroom.client.terms import Terms
    from strongroom.client.tickets import Ticket

__all__ = [
    "AnswerTruncated",
    "AsyncClient",
    "AttestationRefused",
    "AttestedSession",
    "Client",
    "ClientClosed",
    "EnvelopeSealer",
    "FileOutcome",
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
    "open_files",
    "seal_files",
    "submit_files",
]

_MODULES = {
    "AsyncClient": "aio",
    "AttestedSession": "session",
    "Client": "sync",
    "EnvelopeSealer": "envelopes",
    "FileOutcome": "resting.outcomes",
    "Submitter": "submitter",
    "Terms": "terms",
    "Ticket": "tickets",
    "open_files": "resting.opening",
    "seal_files": "resting.sealing",
    "submit_files": "resting.submitting",
}


def __getattr__(name: str) -> object:
    """Import on first use (PEP 562): `import strongroom.client` loads neither aiohttp nor cryptography."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES.get(name, 'errors')}"), name)
