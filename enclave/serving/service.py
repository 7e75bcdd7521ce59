"""What serves from READY on, composed: documents, admission, answers with their receipts, the audit log."""

from collections.abc import AsyncGenerator

from enclave.boot.sequence import BootSequence
from enclave.engine.engine import Engine
from enclave.kms.data_keys import DataKeys
from enclave.log import EnclaveLog
from enclave.serving.admission import Admission, Admitted
from enclave.serving.answers import Answers
from enclave.serving.audit import AuditLog
from enclave.serving.documents import Documents
from enclave.serving.envelopes import EnvelopeKeys
from enclave.serving.metrics import PublishedMetrics
from enclave.serving.receipts import Receipts
from strongroom.protocol.audit import AuditPage


class InferenceService:
    """Opens, runs, seals and signs. One instance per boot; exists only from READY on."""

    def __init__(self, boot: BootSequence, engine: Engine, log: EnclaveLog) -> None:
        configuration, identity = boot.configuration, boot.identity
        limits, windows = configuration.limits, configuration.windows
        self._clock = identity.clock
        self.documents = Documents(boot.client_evidence, identity.clock, windows.document_refresh_s)
        self.audit = AuditLog(identity.keys.receipt, limits.audit_leaves)
        self._envelopes = EnvelopeKeys(configuration.key, DataKeys(boot.unwrap, limits, windows), identity.clock, log)
        self._admission = Admission(
            identity.keys,
            self._envelopes,
            self.documents,
            identity.clock,
            engine,
            limits=limits,
            windows=windows,
        )
        self._answers = Answers(
            engine, Receipts(boot, self.audit), max_new_tokens=limits.max_new_tokens, answer_s=windows.answer_s
        )
        self.metrics = PublishedMetrics(engine.observer, every_s=windows.metrics_s, sample=limits.metrics_sample)

    async def open(self, message: bytes) -> Admitted:
        """Admit a sealed request or raise Refused; NSMError when no document can be had."""
        return await self._admission.open(message)

    def answer(self, admitted: Admitted) -> AsyncGenerator[bytes, None]:
        """The sealed response, piece by piece; close the generator to cancel it."""
        return self._answers.answer(admitted)

    async def audit_page(self, first: int) -> AuditPage:
        """The log's leaves from `first` on and a checkpoint of all of it."""
        document = await self.documents.current()
        return self.audit.page(first, document.boot_id, self._clock.now_ms())

    def close(self) -> None:
        """Forget the data keys of requests."""
        self._envelopes.close()
