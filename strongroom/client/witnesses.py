"""Evidence by the digest of its document: which enclave an answer came from (review R14)."""

from collections import OrderedDict
from collections.abc import Callable

from attestation.modes import Recent
from strongroom.client.attempts import SharedAttempt
from strongroom.client.attested import AttestedKey
from strongroom.client.deadlines import deadline
from strongroom.client.errors import ReceiptRefused
from strongroom.client.gateway import Gateway
from strongroom.client.terms import JudgedEvidence, Terms

MAX_DOCUMENT_AGE_S = 10_800
"""Three hours: the life of its certificate. A receipt's own time lies within two hours of the document."""
_MAX_HELD = 64


class Witnesses:
    """Fetches and judges each document once, and remembers the last 64."""

    def __init__(self, gateway: Gateway, terms: Terms, *, timeout_s: float, clock: Callable[[], int]) -> None:
        self._gateway, self._terms = gateway, terms
        self._timeout_s, self._clock = timeout_s, clock
        self._held: OrderedDict[bytes, JudgedEvidence] = OrderedDict()
        self._attempts: dict[bytes, SharedAttempt[JudgedEvidence]] = {}

    async def named(self, digest: bytes, key: AttestedKey) -> JudgedEvidence:
        """What the gateway has under that digest, judged: evidence of the very boot that `key` belongs to.

        Raises ReceiptRefused, AttestationRefused, and what `get` raises.
        """
        if digest == key.verified.document.payload_digest:
            return JudgedEvidence(key.evidence, key.verified)
        judged = self._held.get(digest) or await self._fetched(digest)
        if not judged.is_boot_of(key):
            raise ReceiptRefused("expected a document of the boot that the request was sealed to, got another boot's")
        return judged

    async def close(self) -> None:
        """End the attempts that are under way."""
        for attempt in list(self._attempts.values()):
            await attempt.close()

    async def _fetched(self, digest: bytes) -> JudgedEvidence:
        attempt = self._attempts.get(digest)
        if attempt is None:
            attempt = SharedAttempt(lambda: self._fetch(digest), lambda judged: self._hold(digest, judged))
            self._attempts[digest] = attempt
        return await attempt.result()

    async def _fetch(self, digest: bytes) -> JudgedEvidence:
        async with deadline(self._timeout_s):
            evidence = await self._gateway.evidence(digest)
        return self._terms.judge(evidence, Recent(self._clock(), MAX_DOCUMENT_AGE_S))

    def _hold(self, digest: bytes, judged: JudgedEvidence) -> None:
        del self._attempts[digest]
        self._held[digest] = judged
        if len(self._held) > _MAX_HELD:
            self._held.popitem(last=False)
