"""The errors of the client.

    StrongroomError
    ├── InvalidArgument      the caller's own mistake; nothing was sent
    ├── PolicyRequired       built without a policy: nobody would be trusted, and nothing is sent
    ├── ClientClosed         used after `close`
    ├── Unreachable          no connection to the gateway, or it was lost before an answer began
    ├── TimedOut             nothing that verifies came in time
    ├── AttestationRefused   the enclave's evidence does not satisfy the policy (`.rejection`) or a term (`.unmet`)
    ├── GatewayProblem       the gateway's own refusal: untrusted, and no statement of the enclave (`.problem`)
    ├── StaleKey             the gateway says, also after a new attestation, that no enclave holds the key
    ├── SealBroken           a success that is not the sealed answer to this request: altered, foreign or plain bytes
    ├── AnswerTruncated      the answer ended before its last chunk
    ├── ReceiptRefused       the answer's receipt is missing or does not verify (`.rejection`): it is no complete answer
    └── RequestRefused       the enclave's own refusal, from inside the seal (`.failure_code`, `.detail`, `.proof()`)

Every error has a `code` (stable, for programs) and an `exit_code` (for the command line), and its text says what to
do. No text holds a prompt, an answer, a key or anything that the gateway wrote, but for the ids of models that
it lists when the caller names none (64 lower-case characters each at most). A pickle of RequestRefused does: it takes
the proof along. Files at rest have more: `strongroom.client.resting.errors`.
"""

import copyreg
from typing import Any, ClassVar, Literal

from attestation.advice import advice_on
from attestation.errors import Rejected
from attestation.proof_errors import ProofRejected
from strongroom.client.proofs import Proof, Proven
from strongroom.protocol.payloads import Failure, FailureCode
from strongroom.protocol.problems import Problem


class StrongroomError(Exception):
    """Base of everything `strongroom.client` raises on purpose."""

    code: ClassVar[str] = "strongroom"
    exit_code: ClassVar[int] = 1

    def __reduce__(self) -> tuple[Any, ...]:
        """For pickle: an exception is made again from its text, which is not what most of these are made of."""
        return copyreg.__newobj__, (type(self), *self.args), vars(self)  # type: ignore[attr-defined]  # not in typeshed


class InvalidArgument(StrongroomError, ValueError):
    """An argument that the protocol has no room for; the message names it and never quotes it."""

    code, exit_code = "invalid-argument", 2


class PolicyRequired(StrongroomError):
    """A client was built without a policy."""

    code, exit_code = "policy-required", 2

    def __init__(self) -> None:
        super().__init__("expected a policy, got none: pass policy=load_policy(...) with the measurements you trust")


class ClientClosed(StrongroomError):
    """A closed client was used."""

    code, exit_code = "client-closed", 2

    def __init__(self) -> None:
        super().__init__("expected an open client, got a closed one: make a new one")


class Unreachable(StrongroomError):
    """The gateway could not be reached, or the connection was lost before an answer began."""

    code, exit_code = "unreachable", 5

    def __init__(self) -> None:
        super().__init__("expected a connection to the gateway, got none: check its address, then try again")


class TimedOut(StrongroomError):
    """Nothing that verifies came in time."""

    code, exit_code = "timed-out", 6

    def __init__(self, timeout_s: float) -> None:
        super().__init__(f"expected an answer within {timeout_s:g} s, got none: try again, or allow a longer timeout_s")


class AttestationRefused(StrongroomError):
    """The evidence is not good enough.

    `rejection` is the verifier's own, None when the keys are unusable or a term of this client is `unmet`.
    """

    code, exit_code = "attestation-refused", 3

    def __init__(
        self,
        reason: str,
        advice: str,
        *,
        rejection: Rejected | None = None,
        unmet: Literal["kms-leg", "key-policy"] | None = None,
        consequence: str = "nothing was sealed to it",
    ) -> None:
        super().__init__(f"{reason}; {consequence}: {advice}")
        self.rejection, self.unmet = rejection, unmet
        self._finding, self._advice = reason, advice

    @classmethod
    def from_rejection(cls, rejection: Rejected) -> "AttestationRefused":
        """Wrap what the verifier raised."""
        return cls(str(rejection), advice_on(rejection.code), rejection=rejection)

    def after_an_answer(self) -> "AttestationRefused":
        """The same of an enclave that has answered already."""
        consequence = "its answer was not accepted"
        return AttestationRefused(
            self._finding, self._advice, rejection=self.rejection, unmet=self.unmet, consequence=consequence
        )

    @property
    def reason(self) -> str | None:
        """The verifier's rejection code, or the term that is unmet."""
        return self.unmet if self.rejection is None else self.rejection.code.value


class GatewayProblem(StrongroomError):
    """The gateway refused. `problem` is None when its answer (HTTP `status`) is none of the protocol's problems.

    A problem is the same bytes whatever the cause: of one that is about the request's size, `sent_bytes` tells it.
    """

    code, exit_code = "gateway-problem", 7

    def __init__(self, status: int, problem: Problem | None = None, *, sent_bytes: int | None = None) -> None:
        outside = "an answer outside the protocol: check the address"
        answer = outside if problem is None else f"{problem.code}: {problem.detail}"
        if problem is Problem.TOO_LARGE and sent_bytes is not None:
            answer += f" Sealed it had {sent_bytes} bytes; the deployment's configuration allows max_body_bytes"
        super().__init__(f"expected success from the gateway, got {status}, {answer}")
        self.status, self.problem = status, problem


class StaleKey(StrongroomError):
    """The gateway knows no enclave that holds the key: a second one, freshly attested, or that of a KMS envelope."""

    code, exit_code = "stale-key", 8

    def __init__(self) -> None:
        super().__init__("expected an enclave that holds the key sealed to, got none: wait, then try again")


class SealBroken(StrongroomError):
    """A success that is not the sealed answer to this request. Nothing of it was believed."""

    code, exit_code = "seal-broken", 4

    def __init__(self, reason: str) -> None:
        super().__init__(f"{reason}; do not use this gateway until its operator can say why")


class AnswerTruncated(StrongroomError):
    """The answer has no end: what was received, if anything, is not the whole of it."""

    code, exit_code = "answer-truncated", 10

    def __init__(self) -> None:
        super().__init__("expected the answer's last chunk, got an end before it: ask again")


class ReceiptRefused(StrongroomError):
    """The receipt is missing, does not verify or is another's: nothing vouches for the answer, which is not complete.

    `rejection` is the verifier's own, None where the receipt itself is sound and belongs to something else.
    """

    code, exit_code = "receipt-refused", 11

    def __init__(self, finding: str, rejection: ProofRejected | None = None) -> None:
        super().__init__(f"receipt: {finding}; the answer is not complete: do not rely on any of it")
        self.rejection = rejection

    @property
    def reason(self) -> str | None:
        """The verifier's rejection code."""
        return None if self.rejection is None else self.rejection.code.value


class RequestRefused(Proven, StrongroomError):
    """The enclave refused, and said so inside the seal: its code of the fixed list, its sentence, and a proof."""

    code, exit_code = "request-refused", 9

    def __init__(self, failure: Failure, proof: Proof) -> None:
        super().__init__(f"the enclave refused the request, {failure.code}: {failure.detail}")
        self.failure_code: FailureCode = failure.code
        self.detail = failure.detail
        self._proof = proof

    @property
    def reason(self) -> str:
        """The enclave's code."""
        return self.failure_code
