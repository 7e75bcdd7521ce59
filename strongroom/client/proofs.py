"""The proof of one answer: its receipt, verified, with all that somebody else needs to verify it again."""

from dataclasses import dataclass, field, replace

from attestation.bundles import Bundle
from attestation.evidence import Evidence
from attestation.policy import AnyOf, Measurements, Policy
from attestation.policy_file import MAX_TABLES, dump_measurements
from attestation.proofs.openings import Opening
from attestation.proofs.verifier import VerifiedReceipt
from strongroom.protocol.payloads import Event


@dataclass(frozen=True, slots=True)
class Proof:
    """Exists only where the receipt verified under the caller's own policy, request and response shown."""

    receipt: bytes = field(repr=False)
    verified: VerifiedReceipt = field(repr=False)
    evidence: Evidence = field(repr=False)
    request: Opening = field(repr=False)
    response: Opening = field(repr=False)
    leaf_salt: bytes = field(repr=False)
    policy: Policy = field(repr=False)

    def bundle(self, *, show_request: bool = True, show_response: bool = True) -> bytes:
        """One file for `strongroom receipt verify`, now or in years; contents that are not shown stay secret."""
        return _shown(self._whole(), show_request=show_request, show_response=show_response)

    def __reduce__(self) -> tuple[type["CarriedProof"], tuple[Bundle]]:
        """What pickle takes along: the material, request and response in the clear, as of `bundle`.

        That it verified is known in this process alone, and to its types.
        """
        return CarriedProof, (self._whole(),)

    def _whole(self) -> Bundle:
        return Bundle(
            evidence=self.evidence.to_bytes(),
            receipt=self.receipt,
            policy=policy_text(self.policy),
            request=self.request,
            response=self.response,
            leaf_salt=self.leaf_salt,
        )


@dataclass(frozen=True, slots=True)
class CarriedProof:
    """A proof that was pickled in another process, where its receipt verified; here only its bundle says so."""

    whole: Bundle = field(repr=False)

    @property
    def receipt(self) -> bytes:
        """What the enclave signed."""
        return self.whole.receipt

    def bundle(self, *, show_request: bool = True, show_response: bool = True) -> bytes:
        """As of Proof."""
        return _shown(self.whole, show_request=show_request, show_response=show_response)


def _shown(whole: Bundle, *, show_request: bool, show_response: bool) -> bytes:
    request, response = whole.request if show_request else None, whole.response if show_response else None
    return replace(whole, request=request, response=response).to_bytes()


Part = Event | Proof
"""What an exchange yields: the events of the answer, then, behind the last one, its proof."""


class Proven:
    """What every answer offers besides its content."""

    __slots__ = ()
    _proof: Proof | CarriedProof

    @property
    def receipt(self) -> bytes:
        """What the enclave signed about this answer (docs/receipts.md); it has verified."""
        return self._proof.receipt

    def proof(self, *, show_request: bool = True, show_response: bool = True) -> bytes:
        """The proof bundle, one file for `strongroom receipt verify`; it holds the contents that are shown."""
        return self._proof.bundle(show_request=show_request, show_response=show_response)


def policy_text(policy: Policy) -> str | None:
    """The policy file that says the same, or None for a policy that no file can say."""
    tuples = _tuples(policy)
    return dump_measurements(tuples) if 1 <= len(tuples) <= MAX_TABLES else None


def _tuples(policy: Policy) -> list[Measurements]:
    """The alternatives of a policy, none if one of them is no tuple of measurements; a subclass may demand more."""
    if type(policy) is Measurements:
        return [policy]
    alternatives = [_tuples(each) for each in policy.policies] if type(policy) is AnyOf else []
    return [each for tuples in alternatives for each in tuples] if all(alternatives) else []
