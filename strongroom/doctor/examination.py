"""Asking KMS, and reading its answers. What KMS discloses by mistake is dropped unread."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeVar

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    NoCredentialsError,
    PartialCredentialsError,
    SSOError,
    TokenRetrievalError,
)

from attestation.admission import releases
from attestation.errors import PolicyError
from attestation.key_policy.attested import REQUIRED_PCRS
from attestation.key_policy.text import parse_key_policy
from strongroom.doctor.probes import Probe

Answer = Literal["refused", "answered", "not judged", "not possible"]
_Member = TypeVar("_Member")

_CANARY: Final = b"strongroom kms doctor: nothing secret"
# KMS judged the call. Any other error (credentials, throttling, a disabled key) says nothing about the probe.
_REFUSALS: Final = frozenset(
    {
        "AccessDeniedException",
        "IncorrectKeyException",
        "InvalidCiphertextException",
        "NotFoundException",
        "ValidationException",
    }
)
_NO_CREDENTIALS: Final = (
    CredentialRetrievalError,
    NoCredentialsError,
    PartialCredentialsError,
    SSOError,
    TokenRetrievalError,
)
# What botocore's parser raises for a success that is not of KMS.
_UNPARSABLE: Final = (AttributeError, LookupError, TypeError, ValueError, ArithmeticError, RuntimeError)


class DoctorError(Exception):
    """No probe can be made; the message says what to change."""

    code = "kms"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one probe; `detail` is KMS's error code, or the reason why there was no call."""

    name: str
    about: str
    answer: Answer
    detail: str
    alarm: bool


def examine(client: Any, probes: Iterable[Probe]) -> tuple[Outcome, ...]:
    """Make each call with a boto3 `client` of KMS.

    Raises DoctorError when KMS gives no answer. After an alarm that ends the examination instead: the alarm is told.
    """
    outcomes: list[Outcome] = []
    for probe in probes:
        try:
            outcomes.append(_outcome_of(client, probe))
        except DoctorError as silence:
            if not any(each.alarm for each in outcomes):
                raise
            outcomes.append(_outcome(probe, "not judged", str(silence)))
            break
    return tuple(outcomes)


def sealed_canary(client: Any, key_arn: str, context: Mapping[str, str]) -> bytes:
    """A ciphertext to probe with, of a text that is no secret. Raises DoctorError."""
    try:
        answer = _call(client, "encrypt", KeyId=key_arn, Plaintext=_CANARY, EncryptionContext=dict(context))
    except ClientError as error:
        advice = "see --key-arn, --endpoint-url and your credentials"
        if _code(error) == "AccessDeniedException":
            advice = "give --ciphertext FILE and its --context, sealed by somebody who may"
        raise DoctorError(f"Encrypt under the key: {_code(error)}; {advice}") from None
    return _member(answer, "CiphertextBlob", bytes)


def admitted_pcrs(client: Any, key_arn: str) -> Mapping[int, bytes] | None:
    """The first whole measurement that the key's policy admits; None where it cannot be read. Raises DoctorError."""
    try:
        answer = _call(client, "get_key_policy", KeyId=key_arn, PolicyName="default")
        found = (release.pcrs for release in releases(parse_key_policy(_member(answer, "Policy", str))))
    except (ClientError, PolicyError):
        return None
    return next((pcrs for pcrs in found if set(REQUIRED_PCRS) <= set(pcrs)), None)


def _outcome_of(client: Any, probe: Probe) -> Outcome:
    if probe.call is None:
        return _outcome(probe, "not possible", probe.impossible)
    try:
        answer = _call(client, "decrypt", **probe.call)
    except ClientError as error:
        code = _code(error)
        return _outcome(probe, "refused" if code in _REFUSALS else "not judged", code)
    if not answer.get("Plaintext"):
        _member(answer, "CiphertextForRecipient", bytes)
        return _outcome(probe, "answered", "for the recipient alone")
    # Whoever names a recipient must get no plaintext, whatever the document is worth.
    if "Recipient" in probe.call:
        return _outcome(probe, "answered", "with a plaintext, although a recipient was named", alarm=True)
    return _outcome(probe, "answered", "with a plaintext")


def _outcome(probe: Probe, answer: Answer, detail: str, *, alarm: bool = False) -> Outcome:
    return Outcome(probe.name, probe.about, answer, detail, alarm or (probe.alarming and answer == "answered"))


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", "an error without a code"))[:80]


def _call(client: Any, operation: str, **arguments: object) -> Mapping[str, object]:
    """One call. Raises ClientError for an error of KMS, DoctorError for anything but an answer of KMS."""
    try:
        answer: Mapping[str, object] = getattr(client, operation)(**arguments)
    except ClientError:
        raise
    except _NO_CREDENTIALS as error:
        what = f"expected AWS credentials, got none ({type(error).__name__})"
        raise DoctorError(f"{what}; see AWS_PROFILE, AWS_ACCESS_KEY_ID") from None
    except BotoCoreError as error:
        what = f"expected an answer of KMS, got none ({type(error).__name__})"
        raise DoctorError(f"{what}; see --endpoint-url, --ca-bundle") from None
    except _UNPARSABLE:
        raise _no_answer() from None
    return answer


def _member(answer: Mapping[str, object], name: str, kind: type[_Member]) -> _Member:
    """A member that KMS always sends. Raises DoctorError."""
    value = answer.get(name)
    if not isinstance(value, kind) or not value:
        raise _no_answer()
    return value


def _no_answer() -> DoctorError:
    return DoctorError("expected an answer of KMS, got another server's; see --endpoint-url")
