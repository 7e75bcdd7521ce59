"""The boot sequence: each step once, in this order; anything else ends the enclave (docs/boot.md, review R4).

    BOOTED ─configure→ CONFIGURED ─catalogue→ CATALOGUED ─check_key→ KEY_CHECKED ─release*→ RELEASED ─load*→ READY

Blocking work (NSM, KMS, ONNX) runs in threads; the steps themselves run one at a time.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

from attestation.errors import PolicyError
from attestation.key_policy.linter import lint_key
from attestation.key_policy.text import parse_key_policy
from attestation.measurements import (
    CATALOGUE_LABEL,
    CATALOGUE_PCR,
    CONFIGURATION_LABEL,
    CONFIGURATION_PCR,
    labelled_digest,
)
from enclave.boot.measure import measure_once
from enclave.boot.receive import ModelReceiver
from enclave.clock import Clock, SetSystemClock
from enclave.engine.engine import Engine
from enclave.errors import BootRefused
from enclave.evidence import Evidence
from enclave.keys import BootKeys
from enclave.kms.client import KMSClient
from enclave.kms.credentials import PushedCredentialProvider, PushedCredentials
from enclave.log import EnclaveLog, LogEvent
from enclave.nsm.interface import NSM
from strongroom.protocol.catalogue import Catalogue, CatalogueEntry
from strongroom.protocol.configuration import DeploymentConfiguration, KeyEntry
from strongroom.protocol.constants import BootState
from strongroom.protocol.messages import SealedWeightsHead
from strongroom.protocol.weights import WeightsOpener
from strongroom.transport.addresses import Address


@dataclass(frozen=True)
class Identity:
    """What exists once both PCRs are locked: keys, evidence, time."""

    keys: BootKeys
    evidence: Evidence
    clock: Clock


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
        self._openers: dict[str, WeightsOpener] = {}
        self._loaded: set[str] = set()
        self._step = asyncio.Lock()
        self.state = BootState.BOOTED
        self.ended = False
        self.ready = asyncio.Event()
        self.configuration: DeploymentConfiguration
        self.catalogue: Catalogue
        self.identity: Identity

    async def configure(self, data: bytes) -> None:
        """BOOTED → CONFIGURED: measure the bytes as received into PCR17, lock it, then parse the same bytes."""
        async with self._step:
            self._expect(BootState.BOOTED)
            digest = labelled_digest(CONFIGURATION_LABEL, data)
            await asyncio.to_thread(measure_once, self._nsm, CONFIGURATION_PCR, digest)
            self.configuration = DeploymentConfiguration.from_bytes(data)
            self._enter(BootState.CONFIGURED)

    async def set_catalogue(self, data: bytes) -> None:
        """CONFIGURED → CATALOGUED: the same for PCR16; now documents may be made, so the keys are."""
        async with self._step:
            self._expect(BootState.CONFIGURED)
            digest = labelled_digest(CATALOGUE_LABEL, data)
            await asyncio.to_thread(measure_once, self._nsm, CATALOGUE_PCR, digest)
            self.catalogue = Catalogue.from_bytes(data)
            for entry in self.catalogue.model:
                self.configuration.find_key(entry.key, "model")
            self.identity = await asyncio.to_thread(self._make_identity)
            self._enter(BootState.CATALOGUED)

    def end(self) -> None:
        """Take no further step, not even one that is under way: the process is about to end."""
        self.ended = True

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
            for entry in {entry.arn: entry for entry in self.configuration.key}.values():
                await asyncio.to_thread(self._check_key, entry)
            self._enter(BootState.KEY_CHECKED)

    async def release(self, model_id: str, head: bytes) -> None:
        """KEY_CHECKED → RELEASED once per model: KMS unwraps its data key for this enclave alone."""
        async with self._step:
            self._expect(BootState.KEY_CHECKED)
            entry, sealed = self._entry(model_id), self._parse_head(head)
            if model_id in self._openers or (sealed.model, sealed.version) != (entry.id, entry.version):
                raise BootRefused("out-of-order", f"model {entry.id}: expected its own head, once")
            data_key = await asyncio.to_thread(self._unwrap, entry, sealed)
            self._openers[model_id] = WeightsOpener(sealed, data_key)
            if len(self._openers) == len(self.catalogue.model):
                self._enter(BootState.RELEASED)

    async def load(self, model_id: str, body: AsyncIterator[bytes]) -> None:
        """RELEASED → READY once per model: open the weights as they come, hold them against the catalogue, load."""
        async with self._step:
            self._expect(BootState.RELEASED)
            entry = self._entry(model_id)
            opener = self._openers.pop(model_id, None)
            if opener is None:
                raise BootRefused("out-of-order", f"model {entry.id}: expected its weights once")
            receiver = ModelReceiver(entry)
            async for piece in body:
                for plaintext in opener.feed(piece):
                    receiver.feed(plaintext)
            receiver.feed(opener.finish())
            manifest, files = receiver.finish()
            if (manifest.id, manifest.version, manifest.task) != (entry.id, entry.version, entry.task):
                raise BootRefused("model-rejected", f"model {entry.id}: expected the catalogue's identity")
            await asyncio.to_thread(self._engine.load, manifest, files)
            self._loaded.add(model_id)
            if len(self._loaded) == len(self.catalogue.model):
                self._enter(BootState.READY)
                self.ready.set()

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

    def _parse_head(self, head: bytes) -> SealedWeightsHead:
        sealed, size = SealedWeightsHead.read(head)
        if size != len(head):
            raise BootRefused("model-rejected", f"head: expected {size} bytes, got {len(head)}")
        return sealed

    def _make_identity(self) -> Identity:
        clock = Clock(self._nsm.attest())
        if self._set_system_clock is not None:  # before KMS is called: TLS and signatures read the system's clock (R19)
            clock.drive(self._set_system_clock)
        keys = BootKeys.generate()
        refresh_s = self.configuration.windows.document_refresh_s
        return Identity(keys, Evidence(self._nsm, keys, clock, refresh_s), clock)

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

    def _check_key(self, entry: KeyEntry) -> None:
        description, policy, grants = self._client(entry.region).describe_key(entry.arn)
        role = self.configuration.kms.runtime_role
        try:
            findings = lint_key(description, parse_key_policy(policy), grants, runtime_role_arn=role)
        except PolicyError as error:
            raise BootRefused("key-policy", f"key {entry.id}: {error}") from None
        if errors := [finding.code for finding in findings if finding.severity == "error"]:
            raise BootRefused("key-policy", f"key {entry.id}: expected a sound key policy, found {', '.join(errors)}")

    def _unwrap(self, entry: CatalogueEntry, head: SealedWeightsHead) -> bytes:
        key = self.configuration.find_key(entry.key, "model")
        return self._client(key.region).unwrap(key, key.model_context(entry), head.wrapped_key)
