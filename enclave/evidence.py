"""The documents that the enclave makes: one kind for clients, another for KMS, never confusable (review R18).

Those for KMS come first: they bind a key of this boot alone. What a client document binds is known only when every
configured key was judged, so the maker of client documents does not exist before.
"""

from attestation import bindings
from enclave.clock import Clock
from enclave.keys import BootKeys
from enclave.nsm.interface import NSM


class Evidence:
    """Makes documents for KMS; only after PCR16 and PCR17 are locked. NSM calls block for milliseconds."""

    def __init__(self, nsm: NSM, keys: BootKeys, clock: Clock, refresh_s: int) -> None:
        self._nsm, self._keys, self._clock, self._refresh_s = nsm, keys, clock, refresh_s

    def for_kms(self) -> bytes:
        """A document for KMS: the RSA recipient in `public_key`, the purpose tag in `user_data`."""
        return self._nsm.attest(public_key=self._keys.recipient_spki(), user_data=bindings.kms_user_data())

    def for_clients(self, key_list: bytes) -> "ClientEvidence":
        """The maker of client documents, which bind exactly `key_list`, the bytes to be served at /v1/keys."""
        return ClientEvidence(self._nsm, key_list, self._clock, self._refresh_s)

    def refresh_clock(self) -> None:
        """Take the NSM's time; raise ClockFault."""
        self._clock.refresh(self._nsm.attest())


class ClientEvidence:
    """Makes documents for clients: `public_key` null, `user_data` bound to the key list."""

    def __init__(self, nsm: NSM, key_list: bytes, clock: Clock, refresh_s: int) -> None:
        self._nsm, self._clock, self._refresh_ms = nsm, clock, refresh_s * 1000
        self._user_data = bindings.client_user_data(key_list)
        self._recent: tuple[int, bytes] | None = None
        self.key_list = key_list

    def live(self, nonce: bytes) -> bytes:
        """A document for that nonce."""
        return self._nsm.attest(user_data=self._user_data, nonce=nonce)

    def recent(self) -> bytes:
        """The cached document, made anew after the configured time."""
        now_ms = self._clock.now_ms()
        if self._recent is None or now_ms - self._recent[0] > self._refresh_ms:
            self._recent = (now_ms, self._nsm.attest(user_data=self._user_data))
        return self._recent[1]
