"""From evidence to a key: the only way to a key that a request may be sealed to."""

from collections.abc import Sequence
from dataclasses import InitVar, dataclass, field
from typing import Self

from attestation.anchors import SimulatedTrustAnchor, TrustAnchor
from attestation.bindings import check_client_binding
from attestation.chain import ChainCache
from attestation.errors import AttestationError, Rejected
from attestation.modes import Live
from attestation.policy import Policy
from attestation.verifier import VerifiedDocument, verify
from strongroom.client.errors import AttestationRefused, InvalidArgument, PolicyRequired
from strongroom.client.kms_terms import KMSTerms
from strongroom.protocol.errors import ProtocolError
from strongroom.protocol.keys import KeyConfiguration, KeyList
from strongroom.protocol.suites import Suite, load_public_key

_GUARD = object()


@dataclass(frozen=True, slots=True)
class AttestedKey:
    """A key configuration that a verified document binds; `from_verified` is the only maker of these."""

    configuration: KeyConfiguration
    key_list: KeyList
    verified: VerifiedDocument
    guard: InitVar[object]

    def __post_init__(self, guard: object) -> None:
        if guard is not _GUARD:
            raise TypeError("expected AttestedKey.from_verified to make an AttestedKey")

    @classmethod
    def from_verified(
        cls, verified: VerifiedDocument, keys: bytes, *, suites: Sequence[Suite] = (Suite.XWING,)
    ) -> Self:
        """The key of the first of `suites` among `keys`, the exact bytes of /v1/keys, which the document must bind.

        Raises AttestationRefused when it does not, or when the enclave offers none of these suites: nothing weaker
        is ever taken instead (review R18).
        """
        if not isinstance(verified, VerifiedDocument):
            raise TypeError("expected a VerifiedDocument")
        try:
            check_client_binding(verified.document, keys)
            key_list = KeyList.from_bytes(keys)
            offered = {configuration.suite: configuration for configuration in key_list.configurations}
            configuration = next(offered[suite] for suite in suites if suite in offered)
            load_public_key(configuration.suite, configuration.public_key)
        except Rejected as rejection:
            raise AttestationRefused.from_rejection(rejection) from None
        except ProtocolError as error:
            raise AttestationRefused(str(error), "use a client of the enclave's version") from None
        except StopIteration:
            names = ", ".join(suite.name for suite in suites)
            reason = f"expected a key of suite {names}, got other suites only"
            raise AttestationRefused(reason, "accept one of them with suites=, or use a newer enclave") from None
        return cls(configuration, key_list, verified, _GUARD)

    @property
    def attested_at_ms(self) -> int:
        """The instant at which the document was judged, by this client's clock."""
        return self.verified.mode.instant_ms(self.verified.document)


@dataclass(frozen=True)
class Terms:
    """What this client demands of an enclave. Raises PolicyRequired, InvalidArgument."""

    policy: Policy
    anchor: TrustAnchor | SimulatedTrustAnchor
    allow_simulated: bool = False
    suites: Sequence[Suite] = field(default=(Suite.XWING,))
    kms: KMSTerms = field(default_factory=KMSTerms)
    seen: ChainCache = field(default_factory=ChainCache, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not callable(getattr(self.policy, "check", None)):
            raise PolicyRequired
        if not isinstance(self.anchor, TrustAnchor | SimulatedTrustAnchor):
            raise InvalidArgument("anchor: expected a TrustAnchor or a SimulatedTrustAnchor")
        if not self.suites or not all(isinstance(suite, Suite) for suite in self.suites):
            raise InvalidArgument("suites: expected at least one Suite")

    def attest(self, document: bytes, keys: bytes, *, nonce: bytes, at_ms: int) -> AttestedKey:
        """Judge a document made for `nonce`, live at `at_ms`, and take the key it binds. Raises AttestationRefused."""
        try:
            verified = verify(
                document,
                policy=self.policy,
                mode=Live(nonce, at_ms),
                anchor=self.anchor,
                allow_simulated=self.allow_simulated,
                cache=self.seen,
            )
        except Rejected as rejection:
            raise AttestationRefused.from_rejection(rejection) from None
        except AttestationError as error:
            raise AttestationRefused(str(error), "correct the policy") from None
        key = AttestedKey.from_verified(verified, keys, suites=self.suites)
        self.kms.check(key.key_list)
        return key
