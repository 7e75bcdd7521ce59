"""From evidence to a key: the only way to a key that a request may be sealed to."""

from collections.abc import Sequence
from dataclasses import InitVar, dataclass
from typing import Self

from attestation.errors import Rejected
from attestation.evidence import Evidence
from attestation.verifier import VerifiedDocument
from strongroom.client.errors import AttestationRefused
from strongroom.protocol.errors import ProtocolError
from strongroom.protocol.keys import KeyConfiguration, KeyList
from strongroom.protocol.suites import Suite, load_public_key

_GUARD = object()


@dataclass(frozen=True, slots=True)
class AttestedKey:
    """A key configuration that a verified document binds; `from_verified` is the only maker of these."""

    configuration: KeyConfiguration
    key_list: KeyList
    evidence: Evidence
    verified: VerifiedDocument
    guard: InitVar[object]

    def __post_init__(self, guard: object) -> None:
        if guard is not _GUARD:
            raise TypeError("expected AttestedKey.from_verified to make an AttestedKey")

    @classmethod
    def from_verified(
        cls, verified: VerifiedDocument, evidence: Evidence, *, suites: Sequence[Suite] = (Suite.XWING,)
    ) -> Self:
        """The key of the first of `suites` in the key list of `evidence`, which the document must bind.

        Raises AttestationRefused when it does not, or when the enclave offers none of these suites: nothing weaker
        is ever taken instead (review R18).
        """
        key_list = bound_key_list(verified, evidence)
        offered = {configuration.suite: configuration for configuration in key_list.configurations}
        accepted = [offered[suite] for suite in suites if suite in offered]
        if not accepted:
            names = ", ".join(suite.name for suite in suites)
            reason = f"expected a key of suite {names}, got other suites only"
            raise AttestationRefused(reason, "accept one of them with suites=, or use a newer enclave")
        try:
            load_public_key(accepted[0].suite, accepted[0].public_key)
        except ProtocolError as error:
            raise _other_version(error) from None
        return cls(accepted[0], key_list, evidence, verified, _GUARD)

    @property
    def attested_at_ms(self) -> int:
        """The instant at which the document was judged, by this client's clock."""
        return self.verified.mode.instant_ms(self.verified.document)


def bound_key_list(verified: VerifiedDocument, evidence: Evidence) -> KeyList:
    """The key list of `evidence`, all of which the document must bind. Raises AttestationRefused."""
    if not isinstance(verified, VerifiedDocument):
        raise TypeError("expected a VerifiedDocument")
    try:
        evidence.check_binding(verified.document)
        return KeyList.from_bytes(evidence.key_list)
    except Rejected as rejection:
        raise AttestationRefused.from_rejection(rejection) from None
    except ProtocolError as error:
        raise _other_version(error) from None


def _other_version(error: ProtocolError) -> AttestationRefused:
    return AttestationRefused(str(error), "use a client of the enclave's version")
