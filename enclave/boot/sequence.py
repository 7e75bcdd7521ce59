"""The boot sequence: each step once, in this order; anything else ends the enclave (docs/boot.md, review R4).

    BOOTED ─configure→ CONFIGURED ─catalogue→ CATALOGUED ─check_key→ KEY_CHECKED ─release*→ RELEASED ─load*→ READY

In READY a model that has made room for others is released and loaded again, by the same steps as at first.
Blocking work (NSM, KMS, ONNX) runs in threads; steps run one at a time, except that weights arrive side by side.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

from attestation.measurements import (
    CATALOGUE_LABEL,
    CATALOGUE_PCR,
    CONFIGURATION_LABEL,
    CONFIGURATION_PCR,
    labelled_digest,
)
from enclave.asgi import Disconnected
from enclave.boot.arrivals import Arrivals
from enclave.boot.codes import code_of
from enclave.boot.key_check import check_keys
from enclave.boot.measure import measure_once
from enclave.clock import Clock, SetSystemClock
from enclave.engine.engine import Engine
from enclave.engine.errors import EngineError
from enclave.errors import BootRefused, KeyRefused, KMSRefused, StepFailed
from enclave.evidence import ClientEvidence, Evidence
from enclave.keys import BootKeys
from enclave.kms.client import KMSClient
from enclave.kms.credentials import PushedCredentialProvider, PushedCredentials
from enclave.log import EnclaveLog, LogEvent
from enclave.nsm.interface import NSM
from strongroom.protocol.catalogue import Catalogue, CatalogueEntry
from strongroom.protocol.configuration import DeploymentConfiguration, KeyEntry
from strongroom.protocol.constants import BootState
from strongroom.protocol.errors import ProtocolError
from strongroom.protocol.keys import KeyList
from strongroom.protocol.messages import SealedWeightsHead
from strongroom.protocol.weights import WeightsCipher
from strongroom.transport.addresses import Address


@dataclass(frozen=True)
class Identity:
    """What exists once both PCRs are locked: keys, evidence for KMS, time."""

    keys: BootKeys
    evidence: Evidence
    clock: Clock


_LAST_STEP_S = 5.0  # what is cancelled at the end of its time ends with its step
_OUTLIVED = (BootRefused, KMSRefused, ProtocolError, EngineError, Disconnected, TimeoutError, MemoryError)


class Standing(NamedTuple):
    """The state, the ids of the models that are loaded, and of those that the enclave wants to be sent again."""

    state: BootState
    loaded: list[str]
    wanted: list[str]


class BootSequence:
    """Drives the enclave from BOOTED to READY. Steps raise Fatal, after which the process must end."""

    def __init__(
        self,
        nsm: NSM,
        proxy: Address,
        engine: Engine,
        log: EnclaveLog,
        set_system_clock: SetSystemClock | None = None,
    ) -> None:
        self._nsm, self._proxy, self._engine, self._log = nsm, proxy, engine, log
        self._set_system_clock = set_system_clock
        self._credentials = PushedCredentialProvider(lambda: self.identity.clock.now_ms())
        self._clients: dict[str, KMSClient] = {}
        self._arrivals = Arrivals(engine, self._cipher)
        self._step = asyncio.Lock()
        self.state = BootState.BOOTED
        self.ended = False
        self.ready = asyncio.Event()
        self.configuration: DeploymentConfiguration
        self.catalogue: Catalogue
        self.catalogue_sha384: bytes
        """What PCR16 was extended with."""
        self.identity: Identity
        self.client_evidence: ClientEvidence
        """From KEY_CHECKED on, not before: it binds what was found."""

    async def configure(self, data: bytes) -> None:
        """BOOTED → CONFIGURED: measure the bytes as received into PCR17, lock it, then parse the same bytes."""
        async with self._step:
            self._expect(BootState.BOOTED)
            digest = labelled_digest(CONFIGURATION_LABEL, data)
            await asyncio.to_thread(measure_once, self._nsm, CONFIGURATION_PCR, digest)
            self.configuration = DeploymentConfiguration.from_bytes(data)
            limits, windows = self.configuration.limits, self.configuration.windows
            self._engine.limit(
                memory_bytes=limits.model_memory_mib << 20,
                residence_s=windows.model_residence_s,
                room_s=windows.answer_s + _LAST_STEP_S,
            )
            self._enter(BootState.CONFIGURED)

    async def set_catalogue(self, data: bytes) -> None:
        """CONFIGURED → CATALOGUED: the same for PCR16; now documents may be made, so the keys are."""
        async with self._step:
            self._expect(BootState.CONFIGURED)
            self.catalogue_sha384 = labelled_digest(CATALOGUE_LABEL, data)
            await asyncio.to_thread(measure_once, self._nsm, CATALOGUE_PCR, self.catalogue_sha384)
            self.catalogue = Catalogue.from_bytes(data)
            for entry in self.catalogue.model:
                self.configuration.find_key(entry.key, "model")
            self.identity = await asyncio.to_thread(self._make_identity)
            self._enter(BootState.CATALOGUED)

    def standing(self) -> Standing:
        """Where the enclave is now."""
        return Standing(self.state, self._engine.loaded(), self._engine.wanted())

    def end(self) -> None:
        """Take no further step, not even one that is under way: the process is about to end."""
        self.ended = True

    def unwrap(self, entry: KeyEntry, context: dict[str, str], wrapped: bytes) -> bytes:
        """A data key under an entry of the configuration, for this enclave alone. Blocks; raises as KMSClient.unwrap.

        Allowed from KEY_CHECKED on, when the client of every entry's region is there: any number at a time.
        """
        return self._client(entry.region).unwrap(entry, context, wrapped)

    def push_credentials(self, data: bytes) -> None:
        """Take credentials; allowed from CATALOGUED on, as often as the parent likes."""
        if self.ended or self.state in (BootState.BOOTED, BootState.CONFIGURED):
            raise BootRefused("out-of-order", "credentials: expected the catalogue first")
        self._credentials.push(PushedCredentials.from_bytes(data))
        self._log.write(LogEvent.CREDENTIALS)

    async def check_keys(self) -> None:
        """CATALOGUED → KEY_CHECKED: the enclave itself judges every configured key and its policy (R11)."""
        async with self._step:
            self._expect(BootState.CATALOGUED)
            try:
                key_list = await asyncio.to_thread(self._check_keys)
            except KeyRefused as refused:
                for code in refused.findings:
                    self._log.write(LogEvent.KEY_REFUSED, key=refused.entry_id, code=code)
                raise
            self.client_evidence = self.identity.evidence.for_clients(key_list)
            self._enter(BootState.KEY_CHECKED)

    async def release(self, model_id: str, head: bytes) -> None:
        """KEY_CHECKED → RELEASED once per model: KMS unwraps its data key for this enclave alone.

        In READY again for a model that is not loaded.
        """
        async with self._step:
            if not self._serves:
                self._expect(BootState.KEY_CHECKED)
            await self._arrivals.release(self._entry(model_id), head, again=self._serves)
            if self.state is BootState.KEY_CHECKED and len(self._arrivals) == len(self.catalogue.model):
                self._enter(BootState.RELEASED)

    async def load(self, model_id: str, first: int, step: int, body: AsyncIterator[bytes]) -> None:
        """RELEASED → READY once all segments of every model have come; segments come side by side.

        A segment is every `step`-th chunk from `first` on. Returns when the model is loaded, for each of its segments.
        In READY again after a `release`.
        """
        if not self._serves:
            self._expect(BootState.RELEASED)
        await self._arrivals.load(self._entry(model_id), first, step, body)
        if self.state is BootState.RELEASED and not self._arrivals:
            self._enter(BootState.READY)
            self.ready.set()

    @contextmanager
    def outliving(self) -> Iterator[None]:
        """In READY what is wrong with a model that comes again is StepFailed: the others are served all the same.

        Not so a fault of the clock or the NSM, nor what nobody foresaw; and before READY nothing is.
        """
        serves = self._serves
        try:
            yield
        except _OUTLIVED as error:
            if not serves:
                raise
            raise StepFailed(code_of(error)) from None

    @property
    def _serves(self) -> bool:
        return self.state is BootState.READY and not self.ended

    def _expect(self, state: BootState) -> None:
        if self.ended or self.state is not state:
            raise BootRefused("out-of-order", f"boot: expected a step of {state}, the enclave is {self.state}")

    def _enter(self, state: BootState) -> None:
        if self.ended:
            raise BootRefused("out-of-order", f"boot: expected no step after the end, got one that reached {state}")
        self.state = state
        self._log.write(LogEvent.STATE, state=state.value)

    def _entry(self, model_id: str) -> CatalogueEntry:
        entry = self.catalogue.find(model_id)
        if entry is None:
            raise BootRefused("unknown-model", "model: expected an id of the catalogue")
        return entry

    def _make_identity(self) -> Identity:
        clock = Clock(self._nsm.attest())
        if self._set_system_clock is not None:  # before KMS is called: TLS and signatures read the system's clock (R19)
            clock.drive(self._set_system_clock)
        keys = BootKeys.generate()
        return Identity(keys, Evidence(self._nsm, keys, clock), clock)

    def _client(self, region: str) -> KMSClient:
        if region not in self._clients:
            self._clients[region] = KMSClient(
                self._proxy,
                self.configuration.kms,
                region,
                self._credentials,
                evidence=self.identity.evidence,
                keys=self.identity.keys,
            )
        return self._clients[region]

    def _check_keys(self) -> KeyList:
        role, configurations = self.configuration.kms.runtime_role, self.identity.keys.configurations
        return check_keys(self.configuration.key, self._client, role, configurations)

    def _cipher(self, entry: CatalogueEntry, head: SealedWeightsHead) -> WeightsCipher:
        key = self.configuration.find_key(entry.key, "model")
        context = key.model_context(entry)
        return WeightsCipher(head, self.unwrap(key, context, head.wrapped_key), key.arn, context)
