"""What the gateway's readiness believes in: a trust anchor and a policy, each named in every report."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self, TypeVar

from attestation.anchors import AWS_NITRO_ROOT_G1, SimulatedTrustAnchor, TrustAnchor
from attestation.chain import ChainCache
from attestation.errors import PolicyError
from attestation.modes import Live
from attestation.policy import Policy, UnsafeAnyMeasurement
from attestation.policy_file import MAX_POLICY_FILE_BYTES, load_policy
from attestation.verifier import verify
from parent.errors import SettingsError
from parent.settings import Settings

UNSAFE_POLICY = "unsafe-any-measurement"

Parsed = TypeVar("Parsed")


@dataclass(frozen=True)
class Trust:
    """`policy_name` is UNSAFE_POLICY when no policy is configured, else the SHA-256 of the policy file in hex."""

    anchor: TrustAnchor | SimulatedTrustAnchor
    allow_simulated: bool
    policy: Policy
    policy_name: str
    seen: ChainCache = field(default_factory=ChainCache, repr=False, compare=False)

    @classmethod
    def load(cls, settings: Settings) -> Self:
        """Read the files that the settings name. Raises SettingsError."""
        anchor: TrustAnchor | SimulatedTrustAnchor = AWS_NITRO_ROOT_G1
        policy: Policy = UnsafeAnyMeasurement()
        policy_name = UNSAFE_POLICY
        if settings.trust_anchor is not None:
            anchor, _ = _load("STRONGROOM_TRUST_ANCHOR", settings.trust_anchor, SimulatedTrustAnchor.from_pem)
        if settings.policy is not None:
            policy, data = _load("STRONGROOM_POLICY", settings.policy, load_policy)
            policy_name = f"sha256:{hashlib.sha256(data).hexdigest()}"
        return cls(anchor, settings.allow_simulated, policy, policy_name)

    def report(self) -> Mapping[str, object]:
        """Which anchor and policy readiness is judged under."""
        anchor = {"sha256": self.anchor.sha256, "simulated": self.anchor.simulated}
        return {"trust_anchor": anchor, "policy": self.policy_name}

    def verify(self, document: bytes, nonce: bytes, at_ms: int) -> None:
        """The document answers `nonce`, now, under anchor and policy. Raises AttestationError."""
        verify(
            document,
            policy=self.policy,
            mode=Live(nonce, at_ms),
            anchor=self.anchor,
            allow_simulated=self.allow_simulated,
            cache=self.seen,
        )


def _load(name: str, path: Path, parse: Callable[[bytes], Parsed]) -> tuple[Parsed, bytes]:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_POLICY_FILE_BYTES + 1)
        return parse(data), data
    except OSError as error:
        raise SettingsError(f"{name}: expected a readable file ({error.strerror})") from None
    except PolicyError as error:
        raise SettingsError(f"{name}: {error}") from None
