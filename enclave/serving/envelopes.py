"""KMS envelopes inside the enclave: from the clear key id to the key entry, from KMS to the data key (review R7)."""

from collections.abc import Callable
from dataclasses import dataclass, field

from enclave.clock import Clock
from enclave.errors import KMSUnreachable
from enclave.kms.data_keys import DataKeyRefused, DataKeys
from enclave.log import EnclaveLog, LogEvent
from enclave.serving.refused import Refused
from strongroom.protocol.configuration import KeyEntry
from strongroom.protocol.envelopes import EnvelopeRequest, entry_id, read_envelope
from strongroom.protocol.errors import ProtocolError
from strongroom.protocol.payloads import Request
from strongroom.protocol.problems import Problem


@dataclass(frozen=True)
class UnlockedEnvelope:
    """An envelope whose data key KMS has released, not yet opened."""

    envelope: EnvelopeRequest
    entry: KeyEntry
    data_key: bytes = field(repr=False)

    def open(self) -> Request:
        """Its plaintext; raise OpenFailed or Malformed."""
        return self.envelope.open(self.data_key, self.entry.arn, self.entry.fixed_context)


class EnvelopeKeys:
    """The configuration's key entries of purpose `request`, by key id, and the data keys under them."""

    def __init__(self, entries: list[KeyEntry], data_keys: DataKeys, clock: Clock, log: EnclaveLog) -> None:
        requests = [entry for entry in entries if entry.purpose == "request"]
        self._entries = {entry_id(entry.arn, entry.fixed_context): entry for entry in requests}
        self._data_keys, self._clock, self._log = data_keys, clock, log
        self.close: Callable[[], None] = data_keys.close

    async def unlock(self, key_id: bytes, message: bytes) -> UnlockedEnvelope:
        """Have the data key unwrapped, with ARN and context of our own configuration alone; raise Refused.

        The key id in the clear decides a stale key, before anything else is read.
        """
        entry = self._entries.get(key_id)
        if entry is None:
            raise Refused(Problem.STALE_KEY)
        try:
            envelope = read_envelope(message)
        except ProtocolError:
            raise Refused(Problem.REJECTED) from None
        return UnlockedEnvelope(envelope, entry, await self._data_key(entry, envelope.wrapped))

    async def _data_key(self, entry: KeyEntry, wrapped: bytes) -> bytes:
        try:
            return await self._data_keys.get(entry, entry.fixed_context, wrapped, self._clock.now_ms())
        except DataKeyRefused as refused:
            self._log.write(LogEvent.DATA_KEY_REFUSED, key=entry.id, code=refused.code)
            raise Refused(Problem.REJECTED) from None
        except KMSUnreachable as unreachable:
            self._log.write(LogEvent.DATA_KEY_REFUSED, key=entry.id, code=unreachable.code)
            raise Refused(Problem.BUSY) from None
