"""Which enclave a sealed request goes to: the one whose key it is sealed to, as its clear head says, if it is well.

Clients seal to keys in evidence that mostly came through this gateway, so its holder is known. A key that nobody is
known to hold is worth a look at everybody's keys, once a second at most, whoever asks and however often.
"""

import asyncio
import time
from collections.abc import Callable

from parent.answer import EnclaveProblem
from parent.enclave import Enclave
from parent.errors import EnclaveError, GatewayError, NoSealedRequest, StaleKey
from parent.fleet import Fleet
from strongroom.protocol.errors import ProtocolError
from strongroom.protocol.messages import SealedRequestHead
from strongroom.protocol.ways import WayIn

_LOOK_INTERVAL_S = 1.0


class Router:
    """Routes over one fleet."""

    def __init__(self, fleet: Fleet, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self._fleet, self._monotonic_s = fleet, monotonic_s
        self._looking = asyncio.Lock()
        self._looked_s = -_LOOK_INTERVAL_S
        self._failure: GatewayError | None = None

    async def route(self, opening: bytes) -> Enclave:
        """The enclave for a message that begins so.

        Raises NoSealedRequest, StaleKey; EnclaveError and EnclaveProblem when none said which keys it holds.
        """
        try:
            head, _ = SealedRequestHead.read(opening)
        except ProtocolError:
            raise NoSealedRequest("expected the head of a sealed request, got something else") from None
        if head.suite is WayIn.KMS_ENVELOPE:  # KMS unwraps its key for any of them
            return self._fleet.least_busy()
        holder = self._fleet.holder(head.key_id) or await self._found(head.key_id)
        if holder is None or (self._fleet.ready and not holder.readiness.ready):
            # With another one ready the client does better to attest anew than to wait for this one.
            raise StaleKey("expected a key that a ready enclave holds, got another")
        return holder

    async def _found(self, key_id: bytes) -> Enclave | None:
        async with self._looking:
            if self._monotonic_s() - self._looked_s >= _LOOK_INTERVAL_S:
                self._looked_s = self._monotonic_s()
                await self._look()
                self._looked_s = self._monotonic_s()
        if self._failure is not None:
            raise self._failure.with_traceback(None)
        return self._fleet.holder(key_id)

    async def _look(self) -> None:
        """Ask all of them; that one failed matters only when nobody answered."""
        failures = await asyncio.gather(*map(_look_at, self._fleet.enclaves))
        self._failure = failures[0] if all(failures) else None


async def _look_at(enclave: Enclave) -> GatewayError | None:
    try:
        await enclave.look_at_keys()
    except (EnclaveError, EnclaveProblem) as failure:
        return failure
    return None
