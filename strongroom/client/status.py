"""Status: what is known of the enclave that requests go to, and on whose word."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from strongroom.client.attested import AttestedKey
from strongroom.client.models import ModelInfo


@dataclass(frozen=True, slots=True)
class AnchorStatus:
    """The trust anchor: SHA-256 of its DER in hex, and whether it is anything but the AWS root."""

    sha256: str
    simulated: bool


@dataclass(frozen=True, slots=True)
class Status:
    """The verified document in plain values. `models` alone is the gateway's word; all else was signed and judged."""

    module_id: str
    pcrs: Mapping[int, str]
    """The locked PCRs, index to hex."""
    anchor: AnchorStatus
    mode: str
    """The freshness that was demanded: "live"."""
    timestamp_ms: int
    valid_until_ms: int
    suite: str
    key_id: str
    kms_leg: str
    """TLS from the enclave to KMS: "hybrid" when nothing but X25519MLKEM768 was offered, else "classical"."""
    key_policies: Mapping[str, str]
    """Id of each key entry to the SHA-384, in hex, of the key policy as KMS returned it when the enclave booted."""
    proves: tuple[str, ...]
    does_not_prove: tuple[str, ...]
    models: tuple[ModelInfo, ...]

    @classmethod
    def of(cls, key: AttestedKey, models: Sequence[ModelInfo]) -> Self:
        """The status of an attested key and what the gateway lists."""
        verified, document, keys = key.verified, key.verified.document, key.key_list
        return cls(
            module_id=document.module_id,
            pcrs={index: value.hex() for index, value in sorted(document.pcrs.items())},
            anchor=AnchorStatus(verified.anchor.sha256, verified.anchor.simulated),
            mode=type(verified.mode).__name__.lower(),
            timestamp_ms=document.timestamp_ms,
            valid_until_ms=verified.valid_until_ms,
            suite=key.configuration.suite.name,
            key_id=key.configuration.key_id.hex(),
            kms_leg=keys.kms_leg.word,
            key_policies={entry_id: digest.hex() for entry_id, digest in keys.key_policies.items()},
            proves=verified.proves,
            does_not_prove=verified.does_not_prove,
            models=tuple(models),
        )
