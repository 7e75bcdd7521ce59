"""The documents that the enclave makes: one kind for clients, another for KMS, never confusable (review R18).

Those for KMS come first: they bind a key of this boot alone. What a client document binds is known only when every
configured key was judged, so the maker of client documents does not exist before.
"""

import hashlib

from attestation import bindings, evidence
from attestation.signing import receipt_key_bytes
from enclave.clock import Clock
from enclave.keys import BootKeys
from enclave.nsm.interface import NSM
from strongroom.protocol.keys import KeyList


class Evidence:
    """Makes documents for KMS; only after PCR16 and PCR17 are locked. NSM calls block for milliseconds."""

    def __init__(self, nsm: NSM, keys: BootKeys, clock: Clock) -> None:
        self._nsm, self._keys, self._clock = nsm, keys, clock

    def for_kms(self) -> bytes:
        """A document for KMS: the RSA recipient in `public_key`, the purpose tag in `user_data`."""
        return self._nsm.attest(public_key=self._keys.recipient_spki(), user_data=bindings.kms_user_data())

    def for_clients(self, key_list: KeyList) -> "ClientEvidence":
        """The maker of client documents, which bind exactly this key list and this boot's receipt key."""
        return ClientEvidence(self._nsm, self._keys, key_list)

    def refresh_clock(self) -> None:
        """Take the NSM's time; raise ClockFault."""
        self._clock.refresh(self._nsm.attest())


class ClientEvidence:
    """Makes documents for clients: `public_key` null, `user_data` bound to the key list and the receipt key."""

    def __init__(self, nsm: NSM, keys: BootKeys, key_list: KeyList) -> None:
        self._nsm = nsm
        self._key_list_bytes = key_list.to_bytes()
        self.key_list = key_list
        self.keys_sha384 = hashlib.sha384(self._key_list_bytes).digest()
        self.receipt_key = receipt_key_bytes(keys.receipt)
        self._user_data = bindings.statement_user_data(self.keys_sha384, self.receipt_key)

    def document(self, nonce: bytes | None = None) -> bytes:
        """A new document, for that nonce if there is one. Blocks for milliseconds."""
        return self._nsm.attest(user_data=self._user_data, nonce=nonce)

    def joined(self, document: bytes) -> bytes:
        """A document with all that it binds: what GET /v1/evidence answers."""
        return evidence.Evidence(document, self._key_list_bytes, self.receipt_key).to_bytes()
