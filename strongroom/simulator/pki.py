"""The simulator's PKI: the chain of a Nitro document, under a root that says it is not AWS's.

One 32-byte seed in the state folder is the whole state. Every key, certificate and window below follows from
(seed, region, module id, time), so processes that share a folder agree without talking to each other.

Not from the seed: the caller's clock, and what it puts into its documents.
"""

import re
import secrets
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from strongroom.simulator import certificates, state
from strongroom.simulator.certificates import Authority, Window, derived_key, issue

_HOUR_S = 3600
_DAY_S = 24 * _HOUR_S
_INSTANCE_STEP_S = 20 * _HOUR_S
_SEED_BYTES = 32
_ROOT_WINDOW = Window(1_735_689_600, 10_958 * _DAY_S)  # 2025-01-01T00:00Z, 30 years
_MODULE_ID = re.compile(r"(i-[0-9a-f]{1,40})-(?:enc|tpm)[0-9a-f]{1,40}")

LEAF_LIFETIME_S = 3 * _HOUR_S + 3
"""Real leaves last 10,803 seconds."""


@dataclass(frozen=True, slots=True)
class Signer:
    """What an enclave signs documents with: leaf, its key, and the bundle root → instance (DER)."""

    certificate: bytes
    cabundle: tuple[bytes, ...]
    key: ec.EllipticCurvePrivateKey
    not_before_ms: int
    not_after_ms: int


class SimulatedPKI:
    """The root, and all that hangs from it, of one state folder."""

    def __init__(self, seed: bytes, *, region: str = "us-east-1") -> None:
        self._seed = seed
        self._region = region
        self._root = issue(certificates.ORGANIZATION, certificates.ROOT, _ROOT_WINDOW, derived_key(seed, "root"), None)

    @classmethod
    def open(cls, state_dir: Path, *, seed: bytes | None = None, region: str = "us-east-1") -> "SimulatedPKI":
        """The PKI of `state_dir`, created there under `pki/` on first use (mode 0600).

        A `seed` (32 bytes) names the PKI to create; raises StateRefused if the folder holds another one.
        """
        kept = state.read_or_create(state_dir / "pki" / "seed", seed or secrets.token_bytes(_SEED_BYTES))
        if len(kept) != _SEED_BYTES:
            raise state.StateRefused(
                f"expected a seed of {_SEED_BYTES} bytes, got {len(kept)}: remove {state_dir / 'pki'}"
            )
        if seed is not None and seed != kept:
            raise state.StateRefused(f"{state_dir / 'pki'} was created from another seed: use another folder")
        pki = cls(kept, region=region)
        state.write(state_dir / "pki" / "root.pem", pki.root_pem())
        return pki

    def root_pem(self) -> bytes:
        """The trust anchor of everything simulated here, for `SimulatedTrustAnchor.from_pem`."""
        return self._root.certificate.public_bytes(serialization.Encoding.PEM)

    def signer(self, module_id: str, *, at_ms: int) -> Signer:
        """A fresh leaf for `module_id`, valid for three hours from `at_ms`.

        An enclave's is `i-<hex>-enc<hex>`, a NitroTPM's `i-<hex>-tpm<hex>`; ValueError for anything else.

        The authorities above it are those of the moment; each encloses the one below for all of its validity.
        """
        match = _MODULE_ID.fullmatch(module_id)
        if match is None:
            raise ValueError(f"expected a module id like i-0123abcd-enc0123abcd, got {module_id!r}")
        at_s = at_ms // 1000
        bundle = self._bundle(match[1], at_s - at_s % _INSTANCE_STEP_S)
        window = Window(at_s, LEAF_LIFETIME_S)
        key = derived_key(self._seed, f"leaf {module_id} {at_s}")
        leaf = issue(f"{module_id}.{self._region}.aws", certificates.LEAF, window, key, bundle[-1])
        return Signer(
            certificate=leaf.der,
            cabundle=tuple(authority.der for authority in bundle),
            key=key,
            not_before_ms=at_s * 1000,
            not_after_ms=(at_s + LEAF_LIFETIME_S) * 1000,
        )

    def _bundle(self, instance_id: str, instance_start_s: int) -> list[Authority]:
        # Steps are chosen so that a window that opens inside its issuer's also closes inside it.
        instance = Window(instance_start_s, _DAY_S)
        zonal = Window.on_grid(instance.start_s, step_s=5 * _DAY_S, lifetime_s=145 * _HOUR_S)
        regional = Window.on_grid(zonal.start_s, step_s=14 * _DAY_S, lifetime_s=20 * _DAY_S + _HOUR_S)
        suffix = f"{self._region}.aws.nitro-enclaves"
        bundle = [self._root]
        for name, profile, window in (
            (f"regional.{suffix}", certificates.REGIONAL, regional),
            (f"zonal.{suffix}", certificates.ZONAL, zonal),
            (f"{instance_id}.{suffix}", certificates.INSTANCE, instance),
        ):
            key = derived_key(self._seed, f"{name} {window.start_s}")
            bundle.append(issue(name, profile, window, key, bundle[-1]))
        return bundle
