"""All enclaves behind the gateway, and which of them serves a question that names none."""

from collections.abc import Mapping, Sequence

from parent.answer import EnclaveProblem
from parent.enclave import Enclave
from parent.errors import EnclaveError, GatewayError, NoSuchEvidence
from strongroom.protocol.problems import Problem


class Fleet:
    """One enclave or several. What makes no difference is shared out among those that are ready.

    When none is ready, all are asked all the same: what they answer, clients judge for themselves.
    """

    def __init__(self, enclaves: Sequence[Enclave]) -> None:
        self.enclaves = tuple(enclaves)
        self._turn = 0

    @property
    def ready(self) -> bool:
        """True while at least one is."""
        return any(enclave.readiness.ready for enclave in self.enclaves)

    @property
    def starting(self) -> bool:
        """True while at least one is being provisioned."""
        return any(enclave.starting for enclave in self.enclaves)

    def available(self) -> Sequence[Enclave]:
        """Those that are ready, or all when none is."""
        return [enclave for enclave in self.enclaves if enclave.readiness.ready] or self.enclaves

    def next(self) -> Enclave:
        """Each of those available in its turn."""
        self._turn += 1
        available = self.available()
        return available[self._turn % len(available)]

    def least_busy(self) -> Enclave:
        """The one of those available with the least in flight and waiting."""
        return min(self.available(), key=lambda enclave: enclave.load)

    def holder(self, key_id: bytes) -> Enclave | None:
        """The one that stated that key, ready or not: no other can open what is sealed to it."""
        return next((enclave for enclave in self.enclaves if key_id in enclave.key_ids), None)

    async def evidence_of(self, digest: str) -> bytes:
        """Evidence with the document of that digest, from the one that made it, which nobody but itself knows.

        Raises NoSuchEvidence; EnclaveError or EnclaveProblem when one that was not asked may have made it.
        """
        failure: GatewayError = NoSuchEvidence("expected the digest of a document that an enclave keeps, got another")
        for enclave in sorted(self.enclaves, key=lambda each: not each.readiness.ready):
            try:
                return await enclave.evidence(f"/{digest}")
            except EnclaveProblem as refusal:
                failure = refusal if refusal.problem is Problem.BUSY else failure
            except EnclaveError as error:
                failure = error
        raise failure

    def doubt(self) -> None:
        """An exchange failed: let each of them prove itself anew."""
        for enclave in self.enclaves:
            enclave.readiness.doubt()

    def report(self) -> Mapping[str, object]:
        """Whether one is ready, and how each of them fares."""
        return {"ready": self.ready, "enclaves": [enclave.report() for enclave in self.enclaves]}
