"""What a client demands of an enclave: held against evidence as it comes, and against evidence that was kept."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from attestation.anchors import AWS_NITRO_ROOT_G1, SimulatedTrustAnchor, TrustAnchor
from attestation.chain import ChainCache
from attestation.errors import AttestationError, Rejected
from attestation.evidence import Evidence
from attestation.modes import Live, Mode
from attestation.policy import Policy, pinned_registers, waives_parent_role
from attestation.proof_errors import ProofRejected
from attestation.verifier import VerifiedDocument, verify
from strongroom.client.attested import AttestedKey, bound_key_list
from strongroom.client.errors import AttestationRefused, InvalidArgument, PolicyRequired
from strongroom.client.kms_terms import KMSTerms
from strongroom.protocol.suites import Suite

_IMAGE, _PARENT_ROLE, _MODELS_AND_CONFIGURATION = {0, 1, 2}, {3}, {16, 17}


@dataclass(frozen=True, slots=True)
class JudgedEvidence:
    """Evidence whose document was verified and binds all of it, under some client's terms."""

    evidence: Evidence
    verified: VerifiedDocument

    @property
    def document_digest(self) -> bytes:
        """What the heads of responses name it by."""
        return self.verified.document.payload_digest

    def is_boot_of(self, key: AttestedKey) -> bool:
        """Whether it states the very key list and receipt key of that key's evidence: another document of one boot."""
        mine, theirs = self.evidence, key.evidence
        return (mine.key_list, mine.receipt_key) == (theirs.key_list, theirs.receipt_key)


@dataclass(frozen=True)
class Terms:
    """What this client demands of an enclave.

    Its policy pins image (PCR0, 1, 2), parent's role (PCR3), models (PCR16) and configuration (PCR17) in every
    measurement, unless it says aloud that it does not: `any_parent_role`, `UnsafeAnyMeasurement`.

    Raises PolicyRequired, InvalidArgument.
    """

    policy: Policy
    anchor: TrustAnchor | SimulatedTrustAnchor = AWS_NITRO_ROOT_G1
    allow_simulated: bool = False
    suites: Sequence[Suite] = field(default=(Suite.XWING,))
    kms: KMSTerms = field(default_factory=KMSTerms)
    seen: ChainCache = field(default_factory=ChainCache, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not callable(getattr(self.policy, "check", None)):
            raise PolicyRequired
        _check_pinned(self.policy)
        if not isinstance(self.anchor, TrustAnchor | SimulatedTrustAnchor):
            raise InvalidArgument("anchor: expected a TrustAnchor or a SimulatedTrustAnchor")
        if not self.suites or not all(isinstance(suite, Suite) for suite in self.suites):
            raise InvalidArgument("suites: expected at least one Suite")

    def attest(self, evidence: bytes, *, nonce: bytes, at_ms: int) -> AttestedKey:
        """Judge evidence made for `nonce`, live at `at_ms`, and take the key it binds. Raises AttestationRefused."""
        parsed, verified = self._verified(evidence, Live(nonce, at_ms))
        key = AttestedKey.from_verified(verified, parsed, suites=self.suites)
        self.kms.check(key.key_list)
        return key

    def judge(self, evidence: bytes, mode: Mode) -> JudgedEvidence:
        """Judge evidence of whoever made an answer. Raises AttestationRefused."""
        try:
            parsed, verified = self._verified(evidence, mode)
            self.kms.check(bound_key_list(verified, parsed))
        except AttestationRefused as refused:
            raise refused.after_an_answer() from None
        return JudgedEvidence(parsed, verified)

    def _verified(self, evidence: bytes, mode: Mode) -> tuple[Evidence, VerifiedDocument]:
        try:
            parsed = Evidence.from_bytes(evidence)
            verified = verify(
                parsed.document,
                policy=self.policy,
                mode=mode,
                anchor=self.anchor,
                allow_simulated=self.allow_simulated,
                cache=self.seen,
            )
        except Rejected as rejection:
            raise AttestationRefused.from_rejection(rejection) from None
        except ProofRejected as rejection:
            raise AttestationRefused(str(rejection), "use a client of the enclave's version") from None
        except AttestationError as error:
            raise AttestationRefused(str(error), "correct the policy") from None
        return parsed, verified


def _check_pinned(policy: Policy) -> None:
    pinned = pinned_registers(policy)
    needed = _IMAGE | _MODELS_AND_CONFIGURATION | (set() if waives_parent_role(policy) else _PARENT_ROLE)
    if pinned and (missing := needed - pinned):
        names = ", ".join(f"pcr{index}" for index in sorted(missing))
        raise InvalidArgument(f"policy: expected {names} in every measurement, got one without; add what is missing")
