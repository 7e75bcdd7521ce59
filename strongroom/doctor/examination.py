"""Asking KMS, and reading its answers. What KMS discloses by mistake is dropped unread."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from botocore.exceptions import BotoCoreError, ClientError

from attestation.admission import releases
from attestation.errors import PolicyError
from attestation.key_policy.attested import REQUIRED_PCRS
from attestation.key_policy.text import parse_key_policy
from strongroom.doctor.probes import Call, Probe

Answer = Literal["refused", "answered", "not possible"]

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


def examine(client: Any, probes: Iterable[Probe]) -> Iterator[Outcome]:
    """Make each call with a boto3 `client` of KMS. Raises DoctorError when KMS cannot be reached."""
    for probe in probes:
        if probe.call is None:
            yield _outcome(probe, "not possible", probe.impossible)
        else:
            yield _ask(client, probe, probe.call)


def sealed_canary(client: Any, key_arn: str, context: Mapping[str, str]) -> bytes:
    """A ciphertext to probe with, of a text that is no secret. Raises DoctorError."""
    try:
        answer = client.encrypt(KeyId=key_arn, Plaintext=_CANARY, EncryptionContext=dict(context))
    except ClientError as error:
        advice = "give --ciphertext FILE and its --context, sealed by somebody who may"
        raise DoctorError(f"Encrypt under the key: {_code(error)}; {advice}") from None
    except BotoCoreError as error:
        raise _unreachable(error) from None
    blob: bytes = answer["CiphertextBlob"]
    return blob


def admitted_pcrs(client: Any, key_arn: str) -> Mapping[int, bytes] | None:
    """The first whole measurement that the key's policy admits; None where it cannot be read. Raises DoctorError."""
    try:
        text = client.get_key_policy(KeyId=key_arn, PolicyName="default")["Policy"]
        found = (release.pcrs for release in releases(parse_key_policy(text)))
    except BotoCoreError as error:
        raise _unreachable(error) from None
    except (ClientError, PolicyError):
        return None
    return next((pcrs for pcrs in found if set(REQUIRED_PCRS) <= set(pcrs)), None)


def _ask(client: Any, probe: Probe, call: Call) -> Outcome:
    try:
        answer = client.decrypt(**call)
    except ClientError as error:
        code = _code(error)
        return _outcome(probe, "refused" if code in _REFUSALS else "not possible", code)
    except BotoCoreError as error:
        raise _unreachable(error) from None
    # Whoever names a recipient must get no plaintext, whatever the document is worth.
    if "Recipient" in call and answer.get("Plaintext"):
        return _outcome(probe, "answered", "with a plaintext, although a recipient was named", alarm=True)
    return _outcome(probe, "answered", "for the recipient alone" if "Recipient" in call else "with a plaintext")


def _outcome(probe: Probe, answer: Answer, detail: str, *, alarm: bool = False) -> Outcome:
    return Outcome(probe.name, probe.about, answer, detail, alarm or (probe.alarming and answer == "answered"))


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", "an error without a code"))[:80]


def _unreachable(error: BotoCoreError) -> DoctorError:
    return DoctorError(f"expected an answer of KMS, got none ({type(error).__name__}); see --endpoint-url, --ca-bundle")
