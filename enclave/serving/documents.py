"""The client documents of this boot: the one that answers now, and those before it, by digest (review R14)."""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final, Self

from cryptography.x509 import load_der_x509_certificate

from attestation.documents import AttestationDocument
from attestation.evidence import boot_id
from enclave.clock import Clock
from enclave.evidence import ClientEvidence

KEPT_BEFORE: Final = 8
"""Documents that are found by their digest beside the current one."""
MARGIN_MS: Final = 600_000
"""So long before its certificates' end a document is made anew: long enough for the answers that name it."""
_PAUSE_MS: Final = 30_000  # between two documents, while the NSM still has the old certificates


@dataclass(frozen=True)
class CachedDocument:
    """A document without a nonce, and the names that follow from it."""

    data: bytes = field(repr=False)
    digest: bytes
    """SHA-384 of the signed payload, 48 bytes."""
    boot_id: bytes
    timestamp_ms: int
    ends_ms: int
    """The earliest not-after of its chain, milliseconds since the epoch."""

    @classmethod
    def from_bytes(cls, data: bytes, receipt_key: bytes) -> Self:
        """Of a document that our own NSM has just made."""
        document = AttestationDocument.from_bytes(data)
        chain = (document.certificate, *document.cabundle)
        ends_s = min(load_der_x509_certificate(each).not_valid_after_utc.timestamp() for each in chain)
        names = document.payload_digest, boot_id(document.module_id, receipt_key)
        return cls(data, *names, document.timestamp_ms, int(ends_s) * 1000)

    def due_ms(self, refresh_ms: int) -> int:
        """When it is to be made anew."""
        soon_over = max(self.ends_ms - MARGIN_MS, self.timestamp_ms + _PAUSE_MS)
        return min(self.timestamp_ms + refresh_ms, soon_over)


class Documents:
    """Use it on one event loop. What asks the NSM raises NSMError."""

    def __init__(self, evidence: ClientEvidence, clock: Clock, refresh_s: int) -> None:
        self.evidence = evidence
        self._clock, self._refresh_ms = clock, refresh_s * 1000
        self._making = asyncio.Lock()
        self._kept: OrderedDict[bytes, CachedDocument] = OrderedDict()
        self._due_ms = 0

    async def current(self) -> CachedDocument:
        """The document that answers name now; however many wait for a new one, the NSM makes one.

        From its return on the clock says no instant before that document's.
        """
        if self._clock.now_ms() >= self._due_ms:
            async with self._making:
                if self._clock.now_ms() >= self._due_ms:
                    self._keep(await asyncio.to_thread(self.evidence.document))
        return next(reversed(self._kept.values()))

    async def live(self, nonce: bytes) -> bytes:
        """A document for that nonce."""
        return await asyncio.to_thread(self.evidence.document, nonce)

    def find(self, digest: bytes) -> CachedDocument | None:
        """The document of that digest, if it is still kept."""
        return self._kept.get(digest)

    def _keep(self, data: bytes) -> None:
        made = CachedDocument.from_bytes(data, self.evidence.receipt_key)
        self._clock.not_before(made.timestamp_ms)
        self._kept[made.digest] = made
        self._due_ms = made.due_ms(self._refresh_ms)
        while len(self._kept) > 1 + KEPT_BEFORE:
            self._kept.popitem(last=False)
