"""First contact and every later one: fetch evidence, judge it, keep the key while it is fresh."""

import asyncio
import secrets
from collections.abc import Callable

from strongroom.client.attested import AttestedKey, Terms
from strongroom.client.deadlines import deadline
from strongroom.client.errors import ClientClosed
from strongroom.client.gateway import Gateway
from strongroom.protocol.constants import (
    MAX_KEYS_BYTES,
    MEDIA_ATTESTATION,
    MEDIA_KEYS,
    PATH_ATTESTATION,
    PATH_KEYS,
)

MAX_DOCUMENT_BYTES = 32 << 10
_NONCE_BYTES = 32


class Contact:
    """Holds the key of the enclave behind a gateway; attests once, however many callers wait for it."""

    def __init__(
        self, gateway: Gateway, terms: Terms, *, timeout_s: float, max_age_s: int, clock: Callable[[], int]
    ) -> None:
        self._gateway, self._terms = gateway, terms
        self._timeout_s, self._max_age_ms, self._clock = timeout_s, max_age_s * 1000, clock
        self._key: AttestedKey | None = None
        self._attempt: asyncio.Task[AttestedKey] | None = None

    async def current(self) -> AttestedKey:
        """A fresh key, attested now unless one is held. Raises what `attest` of the terms and `get` raise."""
        if self._key is not None and self._is_fresh(self._key):
            return self._key
        return await self._attest_once()

    async def instead_of(self, stale: AttestedKey) -> AttestedKey:
        """A key attested after `stale`: the one held by now, or a new one."""
        if self._key is stale:
            self._key = None
        return await self.current()

    async def close(self) -> None:
        """End an attempt that is under way."""
        if self._attempt is not None:
            self._attempt.cancel()
            await asyncio.wait([self._attempt])

    def _is_fresh(self, key: AttestedKey) -> bool:
        """A clock that was set back makes every key stale."""
        end_ms = min(key.verified.valid_until_ms, key.attested_at_ms + self._max_age_ms)
        return key.attested_at_ms <= self._clock() < end_ms

    async def _attest_once(self) -> AttestedKey:
        if self._attempt is None:
            self._attempt = asyncio.create_task(self._attest())
            self._attempt.add_done_callback(self._settle)
        attempt = self._attempt
        try:
            # One caller that gives up must not take the attempt away from the others.
            return await asyncio.shield(attempt)
        except asyncio.CancelledError:
            caller = asyncio.current_task()
            if attempt.cancelled() and caller is not None and not caller.cancelling():
                raise ClientClosed from None
            raise

    def _settle(self, attempt: asyncio.Task[AttestedKey]) -> None:
        self._attempt = None
        if not attempt.cancelled() and attempt.exception() is None:
            self._key = attempt.result()

    async def _attest(self) -> AttestedKey:
        nonce = secrets.token_bytes(_NONCE_BYTES)
        async with deadline(self._timeout_s):
            query = {"nonce": nonce.hex()}
            document = await self._gateway.get(PATH_ATTESTATION, MEDIA_ATTESTATION, MAX_DOCUMENT_BYTES, query)
            keys = await self._gateway.get(PATH_KEYS, MEDIA_KEYS, MAX_KEYS_BYTES)
        return self._terms.attest(document, keys, nonce=nonce, at_ms=self._clock())
