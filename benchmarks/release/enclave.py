"""The enclave that asks for keys: measured as after a boot, with the software NSM and its own KMS client."""

from __future__ import annotations

from attestation.measurements import (
    CATALOGUE_LABEL,
    CATALOGUE_PCR,
    CONFIGURATION_LABEL,
    CONFIGURATION_PCR,
    labelled_digest,
)
from attestation.policy import Measurements
from benchmarks.release.account import AccessKey
from benchmarks.release.parts import Parts
from enclave.boot.measure import measure_once
from enclave.clock import Clock
from enclave.evidence import Evidence
from enclave.keys import BootKeys
from enclave.kms.client import KMSClient
from enclave.kms.credentials import PushedCredentialProvider, PushedCredentials
from strongroom.protocol.configuration import KMSSettings
from strongroom.simulator.image import image_pcrs
from strongroom.simulator.nsm import SoftwareNSM, wall_clock_ms
from strongroom.simulator.operator import PARENT_ROLE, REGION
from strongroom.simulator.pki import SimulatedPKI

_SETTLED_LATER = b"benchmark"  # instead of a configuration and a catalogue, which nobody reads here
_PINNED = (0, 1, 2, 3, CATALOGUE_PCR, CONFIGURATION_PCR)
_LIFETIME_MS = 3_600_000


class Enclave:
    """One boot, in this process, beside the proxy and the dev KMS of ``parts``."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        nsm = SoftwareNSM(
            SimulatedPKI.open(parts.state),
            image_pcrs=image_pcrs(),
            parent_role_arn=PARENT_ROLE,
            parent_instance_id="i-0123456789abcdef0",
        )
        measure_once(nsm, CATALOGUE_PCR, labelled_digest(CATALOGUE_LABEL, _SETTLED_LATER))
        measure_once(nsm, CONFIGURATION_PCR, labelled_digest(CONFIGURATION_LABEL, _SETTLED_LATER))
        self.measurements = Measurements({index: nsm.describe_pcr(index).value for index in _PINNED})
        self._keys = BootKeys.generate()
        self._evidence = Evidence(nsm, self._keys, Clock(nsm.attest()))

    def document(self) -> bytes:
        """A new attestation document for KMS."""
        return self._evidence.for_kms()

    def client(self, key: AccessKey) -> KMSClient:
        """A new client, the caller's to close, as it is after the parent has pushed these credentials."""
        provider = PushedCredentialProvider(wall_clock_ms)
        provider.push(PushedCredentials(key.id, key.secret, key.token, wall_clock_ms() + _LIFETIME_MS))
        return KMSClient(
            self._parts.proxy,
            KMSSettings(runtime_role=PARENT_ROLE, ca_pem=self._parts.ca.read_text()),
            REGION,
            provider,
            evidence=self._evidence,
            keys=self._keys,
        )
