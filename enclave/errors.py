"""The errors of the enclave.

    EnclaveError
    ├── Fatal            the enclave must end: application exit = enclave exit (review R4)
    │   ├── BootRefused      a step out of order, or an answer other than the expected one
    │   │   └── KeyRefused       a configured key, its policy or its grants are not sound (`.findings`)
    │   ├── KMSRefused       KMS, or what claims to be KMS, answered something the configuration does not allow
    │   └── ClockFault       the NSM's time went backwards or cannot be had
    ├── DataKeyRefused   a request's data key may not be had; the enclave goes on (enclave.kms.data_keys)
    ├── StepFailed       a model could not be loaded again, whatever came for it; the enclave goes on
    └── KMSUnreachable   no answer from KMS; the step may be tried again

`code` is what the log shows; messages never hold content, keys or credentials.
"""

from collections.abc import Sequence


class EnclaveError(Exception):
    """Base of the enclave's own errors."""

    code = "enclave-error"


class Fatal(EnclaveError):
    """The enclave must end; nothing may be served afterwards."""

    code = "fatal"


class BootRefused(Fatal):
    """A boot step came out of order, or its answer was not the expected one."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class KeyRefused(BootRefused):
    """The key of an entry of the configuration is not sound. `findings`: the linter's codes, each once."""

    def __init__(self, entry_id: str, findings: Sequence[str]) -> None:
        self.entry_id, self.findings = entry_id, tuple(dict.fromkeys(findings))
        super().__init__("key-policy", f"key {entry_id}: expected a sound key, found {', '.join(self.findings)}")


class KMSRefused(Fatal):
    """An answer of KMS that is an error or contradicts the measured configuration."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class ClockFault(Fatal):
    """The time of the NSM cannot be trusted any longer."""

    code = "clock-fault"


class KMSUnreachable(EnclaveError):
    """KMS gave no answer: proxy down, connection refused, TLS not verified, time-out, or its own fault."""

    code = "kms-unreachable"


class StepFailed(EnclaveError):
    """A model that had made room could not be loaded again; what came of it is dropped, and it may come anew."""

    def __init__(self, code: str) -> None:
        super().__init__(f"model: expected it to be loaded again, got {code}")
        self.code = code
