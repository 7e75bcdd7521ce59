"""What a boot answers with: its document, its evidence and its receipts, sound unless told otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.attestation.vectors import cbor
from tests.attestation.vectors.cases.policy import OURS, table
from tests.attestation.vectors.chains import MODULE_ID
from tests.attestation.vectors.documents import MADE_MS, document, fields
from tests.protocol.vectors import exchange
from tests.protocol.vectors.exchange import ALL_PCRS, KEY_LIST, MEASURED, point, statement
from tests.protocol.vectors.receipts import claims, signed
from tests.protocol.vectors.wire import prefixed, sha256, sha384

POLICY = table(OURS, pcr16=MEASURED[16], pcr17=MEASURED[17])
"""A policy file that the sound boots satisfy: image, parent's role, models, configuration."""


@dataclass(frozen=True)
class Boot:
    """Unless changed, that of `exchange.client_document`; ``label`` names its receipt key."""

    label: str = "enclave"
    keys: bytes = KEY_LIST
    pcrs: Mapping[object, object] = field(default_factory=lambda: ALL_PCRS)
    nonce: bytes | None = None
    stated: bytes | None = None
    """`user_data`, when it is not the statement of these keys."""
    signer: str | None = None
    """Of the key that its receipts are signed with, when it is not its own."""

    @property
    def _changes(self) -> dict[str, object]:
        said = statement(self.keys, point(self.label)) if self.stated is None else self.stated
        return {"user_data": said, "pcrs": self.pcrs, "nonce": self.nonce}

    @property
    def evidence(self) -> bytes:
        """What GET /v1/evidence/{digest} answers."""
        return exchange.evidence(document(**self._changes), self.keys, point(self.label))

    @property
    def digest(self) -> bytes:
        """SHA-384 of the signed payload of its document."""
        return sha384(cbor.indefinite_map(fields(**self._changes).items()))

    def receipt(self, **changes: object) -> bytes:
        """A receipt of this boot."""
        key = point(self.label)
        own = {
            "document": self.digest,
            "keys": sha384(self.keys),
            "receipt_key": key,
            "boot": sha256(b"strongroom boot v1\0", prefixed(MODULE_ID.encode(), key)),
        }
        return signed(cbor.encode(claims(**own | changes)), label=self.signer or self.label)


LEAF_EXPIRED_MS = MADE_MS + 7_204_000
SOUND = Boot()
OTHER = sha384(bytes(48), b"another")
"""A measured value that POLICY does not name."""
OUTSIDE_POLICY = {
    "other-image": ("of another image", Boot(pcrs=ALL_PCRS | {0: OTHER})),
    "other-role": ("under another parent's role, with equal configuration", Boot(pcrs=ALL_PCRS | {3: OTHER})),
    "other-configuration": ("of another configuration", Boot(pcrs=ALL_PCRS | {17: OTHER})),
}
"""Genuine boots that hold the very same keys."""
UNBOUND = Boot(stated=statement(KEY_LIST, point("other")))
