"""The documents that the enclave makes: one kind for clients, another for KMS, never confusable (review R18)."""

from attestation import bindings
from enclave.clock import Clock
from enclave.keys import BootKeys
from enclave.nsm.interface import NSM


class Evidence:
    """Makes attestation documents; only after PCR16 and PCR17 are locked. NSM calls block for milliseconds."""

    def __init__(self, nsm: NSM, keys: BootKeys, clock: Clock, refresh_s: int) -> None:
        self._nsm, self._keys, self._clock = nsm, keys, clock
        self._refresh_ms = refresh_s * 1000
        self._user_data = bindings.client_user_data(keys.configurations)
        self._recent: tuple[int, bytes] | None = None

    def for_client(self, nonce: bytes) -> bytes:
        """A live document for that nonce: `public_key` null, `user_data` bound to the key configurations."""
        return self._nsm.attest(user_data=self._user_data, nonce=nonce)

    def recent(self) -> bytes:
        """The cached document, made anew after the configured time."""
        now_ms = self._clock.now_ms()
        if self._recent is None or now_ms - self._recent[0] > self._refresh_ms:
            self._recent = (now_ms, self._nsm.attest(user_data=self._user_data))
        return self._recent[1]

    def for_kms(self) -> bytes:
        """A document for KMS: the RSA recipient in `public_key`, the purpose tag in `user_data`."""
        return self._nsm.attest(public_key=self._keys.recipient_spki(), user_data=bindings.kms_user_data())

    def refresh_clock(self) -> None:
        """Take the NSM's time; raise ClockFault."""
        self._clock.refresh(self._nsm.attest())
