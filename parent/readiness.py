"""Attested readiness: ready means that the enclave just proved itself, not that a port is open."""

import asyncio
import contextlib
import secrets
from collections.abc import Callable, Mapping
from enum import StrEnum

from attestation.errors import AttestationError, Rejected
from parent.answer import EnclaveProblem
from parent.errors import EnclaveError
from parent.link import EnclaveLink
from parent.trust import Trust
from strongroom.protocol.constants import MEDIA_ATTESTATION, PATH_ATTESTATION

MAX_DOCUMENT_BYTES = 32 << 10
LARGE_DOCUMENT_BYTES = 10 << 10
"""A document above this is warned of: the NSM's driver cuts its answer, document and frame, at 12 KiB (review R24)."""

_NONCE_BYTES = 32
_FRESH_S = 60.0
_VERIFIED_PAUSES_S = (1.0, 30.0)
_FAILED_PAUSES_S = (0.1, 1.0)
"""From one attempt to the next: when in doubt, and else."""


class State(StrEnum):
    """The outcome of the latest attempt."""

    UNVERIFIED = "unverified"
    VERIFIED = "verified"
    UNREACHABLE = "unreachable"
    REJECTED = "rejected"


class Readiness:
    """Asks the enclave for a document with a fresh nonce, again and again, and verifies it.

    Ready only when the latest attempt succeeded, and that within the last 60 s.
    """

    def __init__(
        self, link: EnclaveLink, trust: Trust, *, now_ms: Callable[[], int], monotonic_s: Callable[[], float]
    ) -> None:
        self._link, self._trust = link, trust
        self._now_ms, self._monotonic_s = now_ms, monotonic_s
        self._state, self._reason = State.UNVERIFIED, "no document was judged yet"
        self._concluded_s = monotonic_s()
        self._document_bytes: int | None = None
        self._doubted = asyncio.Event()

    @property
    def ready(self) -> bool:
        """The verdict now."""
        return self._state is State.VERIFIED and self._monotonic_s() - self._concluded_s <= _FRESH_S

    def report(self) -> Mapping[str, object]:
        """The verdict, why, and seconds since it was reached.

        Also the size of the latest verified document, null before there is one, and a warning when it is large.
        """
        return {
            "ready": self.ready,
            "state": self._state,
            "reason": self._reason,
            "age_s": int(self._monotonic_s() - self._concluded_s),
            "document_bytes": self._document_bytes,
            "warnings": self._warnings(),
        }

    def doubt(self) -> None:
        """Something happened to the enclave: do not wait for the next attempt's turn."""
        self._doubted.set()

    async def run(self) -> None:
        """Attempt for ever: every 30 s, every second while it fails, and sooner when in doubt."""
        while True:
            self._doubted.clear()
            await self.attempt()
            least_s, most_s = _VERIFIED_PAUSES_S if self._state is State.VERIFIED else _FAILED_PAUSES_S
            await asyncio.sleep(least_s)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(most_s - least_s):
                    await self._doubted.wait()

    async def attempt(self) -> None:
        """One document, one verdict."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        try:
            document = await self._link.fetch(
                f"{PATH_ATTESTATION}?nonce={nonce.hex()}", media_type=MEDIA_ATTESTATION, max_bytes=MAX_DOCUMENT_BYTES
            )
            await asyncio.to_thread(self._trust.verify, document, nonce, self._now_ms())
        except (EnclaveError, EnclaveProblem) as error:
            self._conclude(State.UNREACHABLE, str(error))
        except Rejected as error:
            self._conclude(State.REJECTED, error.code)
        except AttestationError:
            self._conclude(State.REJECTED, "unusable")
        else:
            self._document_bytes = len(document)
            self._conclude(State.VERIFIED, "the enclave answered a fresh nonce")

    def _warnings(self) -> list[str]:
        if self._document_bytes is None or self._document_bytes <= LARGE_DOCUMENT_BYTES:
            return []
        return [
            f"attestation document: expected at most {LARGE_DOCUMENT_BYTES} bytes, got {self._document_bytes}; "
            "the NSM's driver cuts its answers at 12288"
        ]

    def _conclude(self, state: State, reason: str) -> None:
        self._state, self._reason, self._concluded_s = state, reason, self._monotonic_s()
