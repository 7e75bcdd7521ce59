"""The steps of a verification, in the order judged. A code belongs to one step: a refusal tells what held before it."""

from __future__ import annotations

from enum import StrEnum

from attestation.errors import RejectionCode


class Step(StrEnum):
    """One step; ``demand`` says in words what a document must be to pass it."""

    demand: str

    def __new__(cls, value: str, demand: str) -> Step:
        member = str.__new__(cls, value)
        member._value_ = value
        member.demand = demand
        return member

    ENVELOPE = "envelope", "one COSE_Sign1 of 1 to 32,768 bytes, signed with ES384"  # rules 1 to 7
    PAYLOAD = "payload", "strict CBOR, every field known and bounded"  # rules 9 to 19
    ANCHOR = "anchor", "the AWS Nitro root, or a simulated one that the caller allows"  # rule 20
    KIND = "kind", "the kind of document that the caller expects"  # rule 15
    CHAIN = "chain", "certificates that hold from the trust anchor to the leaf"  # rules 20 to 25, 28
    VALIDITY = "validity", "all certificates valid at the instant judged and at the timestamp"  # rule 26
    SIGNATURE = "signature", "a signature by the leaf's key"  # rule 8
    FRESHNESS = "freshness", "the nonce and the age that the mode demands"  # rule 31
    DEBUG = "debug", "measured PCR0, PCR1 and PCR2"  # rule 29
    POLICY = "policy", "measurements that the policy accepts"  # rule 30
    BINDING = "binding", "the public key and the user data that the caller expects"  # rule 32
    SECOND_OPINION = "second-opinion", "an independent verifier that agrees"


_OF_CODE = {
    RejectionCode.SIGNATURE: Step.SIGNATURE,
    RejectionCode.WRONG_KIND: Step.KIND,
    RejectionCode.SIMULATED_ANCHOR: Step.ANCHOR,
    RejectionCode.SECOND_OPINION: Step.SECOND_OPINION,
}
_UP_TO_RULE = (
    (8, Step.ENVELOPE),
    (19, Step.PAYLOAD),
    (25, Step.CHAIN),
    (26, Step.VALIDITY),
    (28, Step.CHAIN),
    (29, Step.DEBUG),
    (30, Step.POLICY),
    (31, Step.FRESHNESS),
    (32, Step.BINDING),
)


def step_of(code: RejectionCode) -> Step:
    """The only step that refuses with ``code``."""
    return _OF_CODE.get(code) or next(step for last, step in _UP_TO_RULE if code.rule <= last)
