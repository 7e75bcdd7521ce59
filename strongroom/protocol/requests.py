"""Sealing and opening requests: HPKE base mode, single shot, with everything the gateway routes on in `info`."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

from cryptography.exceptions import InvalidTag

from strongroom.protocol import padding
from strongroom.protocol.canonical_pieces import pieces_of
from strongroom.protocol.constants import LABEL_REQUEST
from strongroom.protocol.errors import Malformed, OpenFailed
from strongroom.protocol.keys import KeyConfiguration
from strongroom.protocol.messages import SealedRequestHead
from strongroom.protocol.payloads import Request
from strongroom.protocol.request_bodies import bound_context, check_size, decode_body
from strongroom.protocol.suites import KEMKeyPair, PublicKey, load_public_key


@lru_cache(maxsize=64)
def _public_key(configuration: KeyConfiguration) -> PublicKey:
    """Kept, since a client seals many requests to one key, and to parse an X-Wing key takes a fifth of the time."""
    return load_public_key(configuration.suite, configuration.public_key)


def _info(head: bytes, configuration: KeyConfiguration) -> bytes:
    return LABEL_REQUEST + bound_context(head, configuration.to_bytes())


def seal_request(
    request: Request, configuration: KeyConfiguration, *, request_id: bytes, at_ms: int, model: str
) -> bytes:
    """Seal a request for the holder of that key: head ‖ enc ‖ ciphertext.

    `request_id` is 16 fresh random bytes and `request.secret` 32: neither may ever be used twice. Raises TooLarge, and
    Malformed for a request with `rest`.
    """
    _check_live(request)
    head = SealedRequestHead(configuration.suite.way_in, configuration.key_id, request_id, at_ms, model)
    return seal_body(pieces_of(request), configuration, head)


def seal_body(body: Sequence[bytes], configuration: KeyConfiguration, head: SealedRequestHead) -> bytes:
    """Seal the body of a request, in pieces; `head` names the configuration. Raises TooLarge."""
    front, padded = head.to_bytes(), padding.pad(*body)
    hpke, key = configuration.suite.hpke, _public_key(configuration)
    return check_size(front + hpke.encrypt(padded, key, info=_info(front, configuration)))


@dataclass(frozen=True)
class RequestOpener:
    """The enclave's side of one key pair."""

    pair: KEMKeyPair

    @cached_property
    def configuration(self) -> KeyConfiguration:
        """What clients seal to."""
        return KeyConfiguration(self.pair.suite, self.pair.public)

    def open(self, message: bytes) -> tuple[SealedRequestHead, Request]:
        """Open a sealed request.

        Raises TooLarge, Malformed for its clear head or for what was inside, Unsupported for an unknown suite,
        OpenFailed when it was altered or sealed for another key or context.
        """
        head, body = self.open_body(message)
        request = decode_body(body)
        _check_live(request)
        return head, request

    def open_body(self, message: bytes) -> tuple[SealedRequestHead, memoryview]:
        """Its head and its body, which may be anything; raises what `open` does."""
        head, size = SealedRequestHead.read(check_size(message))
        configuration = self.configuration
        if head.suite is not configuration.suite.way_in or head.key_id != configuration.key_id:
            raise OpenFailed
        info, sealed = _info(message[:size], configuration), memoryview(message)[size:]
        try:
            padded = configuration.suite.hpke.decrypt(sealed, self.pair.private, info=info)
        except (InvalidTag, ValueError):
            raise OpenFailed from None
        return head, padding.unpad(padded)


def _check_live(request: Request) -> None:
    if request.rest is not None:
        raise Malformed("request: expected no rest under HPKE, whose time is the window of the head's timestamp")
