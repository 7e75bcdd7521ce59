"""Judging what KMS answers: errors by their code, members by their type; nothing of an answer is quoted."""

from typing import Any, Final, TypeVar

from botocore.exceptions import ClientError

from enclave.errors import EnclaveError, KMSRefused, KMSUnreachable

# KMS's own faults, which its documentation tells callers to retry; other codes below status 500 are answers.
_TRANSIENT: Final = frozenset(
    {
        "DependencyTimeoutException",
        "KMSInternalException",
        "KeyUnavailableException",
        "RequestLimitExceeded",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
_EXPIRED: Final = frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired"})

T = TypeVar("T")


def refusal(operation: str, error: ClientError) -> EnclaveError:
    """The error of ours for an error of KMS: KMSUnreachable when it may be tried again, else KMSRefused."""
    code = error.response.get("Error", {}).get("Code", "")
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if code in _TRANSIENT or status >= 500:
        return KMSUnreachable(f"{operation}: KMS is busy or failing; try again")
    if code in _EXPIRED:
        return KMSUnreachable(f"{operation}: KMS says that the credentials have expired; push new ones")
    if code == "AccessDeniedException":
        return KMSRefused("kms-access-denied", f"{operation}: denied; compare the key policy with this measurement")
    return KMSRefused("kms-error", f"{operation}: KMS answered with an error")


def bad_answer(operation: str) -> KMSRefused:
    """An answer that is not of the form that KMS gives."""
    return KMSRefused("kms-bad-answer", f"{operation}: expected an answer of KMS, got another")


def member(answer: dict[str, Any], name: str, kind: type[T], operation: str) -> T:
    """A required member of an answer; raise KMSRefused when it is missing or of another type."""
    value = answer.get(name)
    if not isinstance(value, kind):
        raise bad_answer(operation)
    return value


def require_key(answer: dict[str, Any], name: str, arn: str, operation: str) -> None:
    """Raise KMSRefused unless that member is the configured key's ARN."""
    if answer.get(name) != arn:
        raise KMSRefused("kms-wrong-key", f"{operation}: expected the configured key, got another")
