"""The deployment configuration: what differs between two deployments of the one image.

The parent delivers it as TOML; the digest of its bytes as received goes into PCR17 before anything reads it, so a key
policy and a client's policy can name it. Credentials, ciphertext and the like are not here: they are unmeasured.
"""

from itertools import combinations
from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from strongroom.protocol import toml
from strongroom.protocol.catalogue import CatalogueEntry
from strongroom.protocol.constants import MAX_CONFIGURATION_BYTES, MAX_SEALED_REQUEST_BYTES
from strongroom.protocol.errors import InvalidDocument
from strongroom.protocol.names import Identifier, KeyARN, ShortText

Purpose = Literal["model", "request"]
_RESERVED_CONTEXT = frozenset({"purpose", "tenant", "model", "version"})
_ContextText = Annotated[str, Meta(min_length=1, max_length=128)]


class KeyEntry(Struct, frozen=True, forbid_unknown_fields=True):
    """One KMS key and the encryption context under which alone it is used."""

    id: Identifier
    purpose: Purpose
    tenant: Identifier
    arn: KeyARN
    context: Annotated[dict[_ContextText, _ContextText], Meta(max_length=8)] = field(default_factory=dict)

    @property
    def region(self) -> str:
        """The region of the key, the fourth part of its ARN."""
        return self.arn.split(":")[3]

    @property
    def fixed_context(self) -> dict[str, str]:
        """What every EncryptionContext under this entry holds: {purpose, tenant} and the entry's own pairs (R7)."""
        return {**self.context, "purpose": self.purpose, "tenant": self.tenant}

    def is_same_key(self, other: "KeyEntry") -> bool:
        """Whether KMS could not tell the two apart, nor an envelope: they have one key and one fixed context."""
        return (self.arn, self.fixed_context) == (other.arn, other.fixed_context)

    def model_context(self, model: CatalogueEntry) -> dict[str, str]:
        """The EncryptionContext of a model's data key: the fixed pairs and {model, version}."""
        return {**self.fixed_context, "model": model.id, "version": model.version}


class KMSSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """How the enclave reaches KMS; the host follows from the key's ARN, so it is not a setting."""

    runtime_role: Annotated[str, Meta(pattern=r"^arn:aws(-cn|-us-gov)?:iam::[0-9]{12}:role/[\w+=,.@/-]{1,512}\Z")]
    """The parent's IAM role; the key policy must not let it change the policy."""
    fips: bool = False
    ca_pem: Annotated[str, Meta(max_length=16 << 10)] = ""
    """PEM roots for TLS to KMS; empty means Amazon's roots. Set only for a simulator."""
    classical: bool = False
    """Let TLS to KMS use a classical key exchange where OpenSSL could insist on X25519MLKEM768 (review R6)."""


class Limits(Struct, frozen=True, forbid_unknown_fields=True):
    """Bounds that protect the enclave; the parent cannot change them after the measurement."""

    max_body_bytes: Annotated[int, Meta(ge=4 << 10, le=MAX_SEALED_REQUEST_BYTES)] = 1 << 20
    max_in_flight: Annotated[int, Meta(ge=1, le=256)] = 16
    max_new_tokens: Annotated[int, Meta(ge=1, le=1 << 16)] = 1024
    replay_entries: Annotated[int, Meta(ge=64, le=1 << 22)] = 1 << 16
    data_keys: Annotated[int, Meta(ge=1, le=1 << 16)] = 1024
    """Data keys of requests that are kept at a time; beyond it the least recently used one leaves."""
    data_key_uses: Annotated[int, Meta(ge=1, le=1 << 24)] = 1 << 16
    """A kept data key is asked of KMS again after this many uses."""
    audit_leaves: Annotated[int, Meta(ge=1 << 10, le=1 << 20)] = 1 << 16
    """Leaves of the audit log that are kept for whoever stores them: answers that may pass between two of its pulls."""
    metrics_sample: Annotated[int, Meta(ge=20, le=1 << 20)] = 20
    """A series of the metrics changes by as many tasks or more at once (review R21)."""
    model_memory_mib: Annotated[int, Meta(ge=32, le=1 << 24)] = 3072
    """What the loaded models and those that are being loaded take together; the catalogue's others wait outside."""


class Windows(Struct, frozen=True, forbid_unknown_fields=True):
    """Spans of time, in seconds."""

    request_s: Annotated[int, Meta(ge=10, le=3600)] = 300
    """A request is refused when its timestamp is further than this from the enclave's time."""
    document_refresh_s: Annotated[int, Meta(ge=30, le=7190)] = 600
    """The cached attestation document is made anew after this long; receipts may name it for 7,200 s."""
    data_key_ttl_s: Annotated[int, Meta(ge=10, le=86_400)] = 900
    """A kept data key is asked of KMS again after this long: what a revoked key, or a dead KMS, leaves to be served."""
    answer_s: Annotated[int, Meta(ge=1, le=3600)] = 110
    """What takes longer, its wait included, is cancelled and fails; by default, less than a gateway waits."""
    metrics_s: Annotated[int, Meta(ge=60, le=3600)] = 60
    """From one publication of the metrics to the next (review R21)."""
    model_residence_s: Annotated[int, Meta(ge=1, le=86_400)] = 60
    """A model that was loaded because somebody asked for it makes room for no other before."""


class DeploymentConfiguration(Struct, frozen=True, forbid_unknown_fields=True):
    """The whole measured configuration."""

    version: Literal[1]
    deployment: Identifier
    description: ShortText
    kms: KMSSettings
    key: Annotated[list[KeyEntry], Meta(min_length=1, max_length=16)]
    limits: Limits = Limits()
    windows: Windows = Windows()

    @classmethod
    def from_bytes(cls, data: bytes) -> "DeploymentConfiguration":
        """Parse the TOML bytes; raise InvalidDocument or TooLarge."""
        configuration = toml.decode(data, cls, "deployment configuration", MAX_CONFIGURATION_BYTES)
        ids = [entry.id for entry in configuration.key]
        if len(set(ids)) != len(ids):
            raise InvalidDocument("deployment configuration: expected each key id once, got one twice")
        if any(former.is_same_key(latter) for former, latter in combinations(configuration.key, 2)):
            raise InvalidDocument("deployment configuration: expected each key and context in one entry, got two")
        if any(_RESERVED_CONTEXT & entry.context.keys() for entry in configuration.key):
            names = ", ".join(sorted(_RESERVED_CONTEXT))
            raise InvalidDocument(f"deployment configuration: {names} in a context are set by Strongroom; remove them")
        return configuration

    def find_key(self, key_id: str, purpose: Purpose) -> KeyEntry:
        """The entry of that id and purpose; raise InvalidDocument when there is none."""
        for entry in self.key:
            if entry.id == key_id and entry.purpose == purpose:
                return entry
        raise InvalidDocument(f"deployment configuration: expected a key entry {key_id!r} of purpose {purpose!r}")
