"""First contact and every later one: fetch evidence, judge it, keep the key while it is fresh."""

import secrets
from collections.abc import Callable

from attestation.evidence import MAX_EVIDENCE_BYTES
from strongroom.client.attempts import SharedAttempt
from strongroom.client.attested import AttestedKey
from strongroom.client.deadlines import deadline
from strongroom.client.gateway import Gateway
from strongroom.client.terms import Terms
from strongroom.protocol.constants import MEDIA_EVIDENCE, PATH_EVIDENCE

_NONCE_BYTES = 32


class Contact:
    """Holds the key of the enclave behind a gateway; attests once, however many callers wait for it."""

    def __init__(
        self, gateway: Gateway, terms: Terms, *, timeout_s: float, max_age_s: int, clock: Callable[[], int]
    ) -> None:
        self._gateway, self._terms = gateway, terms
        self._timeout_s, self._max_age_ms, self._clock = timeout_s, max_age_s * 1000, clock
        self._key: AttestedKey | None = None
        self._attempt = SharedAttempt(self._attest, self._hold)

    async def current(self) -> AttestedKey:
        """A fresh key, attested now unless one is held. Raises what `attest` of the terms and `get` raise."""
        if self._key is not None and self._is_fresh(self._key):
            return self._key
        return await self._attempt.result()

    async def instead_of(self, stale: AttestedKey) -> AttestedKey:
        """A key attested after `stale`: the one held by now, or a new one."""
        if self._key is stale:
            self._key = None
        return await self.current()

    async def close(self) -> None:
        """End an attempt that is under way."""
        await self._attempt.close()

    def _is_fresh(self, key: AttestedKey) -> bool:
        """A clock that was set back makes every key stale."""
        end_ms = min(key.verified.valid_until_ms, key.attested_at_ms + self._max_age_ms)
        return key.attested_at_ms <= self._clock() < end_ms

    def _hold(self, key: AttestedKey) -> None:
        self._key = key

    async def _attest(self) -> AttestedKey:
        nonce = secrets.token_bytes(_NONCE_BYTES)
        async with deadline(self._timeout_s):
            query = {"nonce": nonce.hex()}
            evidence = await self._gateway.get(PATH_EVIDENCE, MEDIA_EVIDENCE, MAX_EVIDENCE_BYTES, query)
        return self._terms.attest(evidence, nonce=nonce, at_ms=self._clock())
