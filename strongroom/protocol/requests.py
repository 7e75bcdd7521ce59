"""Sealing and opening requests: HPKE base mode, single shot, with everything the gateway routes on in `info`."""

from dataclasses import dataclass

from cryptography.exceptions import InvalidTag

from strongroom.protocol import canonical, padding
from strongroom.protocol.constants import (
    LABEL_REQUEST,
    MAX_SEALED_REQUEST_BYTES,
    MEDIA_SEALED_REQUEST,
    PATH_SEALED,
)
from strongroom.protocol.errors import OpenFailed, TooLarge
from strongroom.protocol.framing import prefixed
from strongroom.protocol.keys import KeyConfiguration
from strongroom.protocol.messages import SealedRequestHead
from strongroom.protocol.payloads import Request
from strongroom.protocol.suites import KEMKeyPair, Suite, load_public_key


def _info(head: bytes, configuration: KeyConfiguration) -> bytes:
    context = (b"POST", PATH_SEALED.encode(), MEDIA_SEALED_REQUEST.encode())
    return LABEL_REQUEST + prefixed(*context, head, configuration.to_bytes())


def seal_request(
    request: Request, configuration: KeyConfiguration, *, request_id: bytes, at_ms: int, model: str
) -> bytes:
    """Seal a request for the holder of that key: head ‖ enc ‖ ciphertext.

    `request_id` is 16 fresh random bytes and `request.secret` 32: neither may ever be used twice.
    """
    head = SealedRequestHead(configuration.suite, configuration.key_id, request_id, at_ms, model).to_bytes()
    plaintext = padding.pad(canonical.encode(request))
    key = load_public_key(configuration.suite, configuration.public_key)
    message = head + configuration.suite.hpke.encrypt(plaintext, key, info=_info(head, configuration))
    if len(message) > MAX_SEALED_REQUEST_BYTES:
        raise TooLarge(f"sealed request: expected at most {MAX_SEALED_REQUEST_BYTES} bytes, got {len(message)}")
    return message


@dataclass(frozen=True)
class RequestOpener:
    """The enclave's side of one key pair."""

    pair: KEMKeyPair

    @property
    def configuration(self) -> KeyConfiguration:
        """What clients seal to."""
        return KeyConfiguration(self.pair.suite, self.pair.public)

    def open(self, message: bytes) -> tuple[SealedRequestHead, Request]:
        """Open a sealed request.

        Raises Malformed for its clear head or for what was inside, Unsupported for a suite other than the key's,
        OpenFailed when it was altered or sealed for another key or context.
        """
        head, size = SealedRequestHead.read(message)
        if Suite.from_id(head.suite) is not self.pair.suite or head.key_id != self.configuration.key_id:
            raise OpenFailed
        try:
            info = _info(message[:size], self.configuration)
            plaintext = self.pair.suite.hpke.decrypt(message[size:], self.pair.private, info=info)
        except (InvalidTag, ValueError):
            raise OpenFailed from None
        return head, canonical.decode(padding.unpad(plaintext), Request, "request")
