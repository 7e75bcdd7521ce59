"""What can go wrong on the parent, as types.

    GatewayError
    ├── SettingsError           an environment variable or a file it names cannot be used
    ├── InvalidRequest          the client's request breaks the API description
    ├── UnsupportedMediaType    the client's body is declared as something else than a sealed request
    ├── NoSealedRequest         it does not begin as a sealed request does
    ├── SenderLeft              its client went away: nobody is left to answer
    ├── StaleKey                it is sealed to a key that no enclave holds
    ├── NoSuchEvidence          no enclave keeps the document that was asked for
    ├── EnclaveError            the exchange with the enclave failed
    │   ├── EnclaveUnreachable      nothing listens, or the connection broke
    │   ├── EnclaveTimedOut         no whole answer within the deadline
    │   ├── EnclaveBusy             as many exchanges as allowed are in flight
    │   └── EnclaveBroken           an answer outside the contract between the parts
    └── ProvisioningError       the enclave could not be brought to `ready`
        ├── SourceUnusable          a configuration, catalogue or sealed model cannot be delivered
        ├── CredentialsUnavailable  the parent has no AWS credentials to hand on
        ├── StepPostponed           the enclave could not take a step now; it may be retried
        └── StepRefused             the enclave refused a boot step; it ends its process

No message holds content: bodies, credentials and headers never enter one.
"""


class GatewayError(Exception):
    """Base of everything that this package raises on purpose."""


class SettingsError(GatewayError):
    """A setting cannot be used; the message names the variable and what was expected."""


class InvalidRequest(GatewayError):
    """The client's request breaks the API description."""


class SenderLeft(GatewayError):
    """The client went away; nobody is left to answer."""


class UnsupportedMediaType(GatewayError):
    """The client's body is declared as something else than a sealed request."""


class NoSealedRequest(GatewayError):
    """The client's body does not begin as a sealed request does."""


class StaleKey(GatewayError):
    """The client's request is sealed to a key that no enclave holds."""


class NoSuchEvidence(GatewayError):
    """No enclave keeps the document that was asked for."""


class EnclaveError(GatewayError):
    """The exchange with the enclave failed; `kind` is its name in metrics."""

    kind = "failed"


class EnclaveUnreachable(EnclaveError):
    """Nothing listens at the enclave's address, or the connection broke."""

    kind = "unreachable"


class EnclaveTimedOut(EnclaveError):
    """The enclave gave no whole answer within the deadline."""

    kind = "timed-out"


class EnclaveBusy(EnclaveError):
    """As many exchanges as allowed are in flight; nothing was sent."""

    kind = "busy"


class EnclaveBroken(EnclaveError):
    """The enclave's answer is outside the contract between the parts."""

    kind = "broken"


class ProvisioningError(GatewayError):
    """The enclave could not be brought to `ready`."""


class SourceUnusable(ProvisioningError):
    """A configuration, catalogue or sealed model cannot be delivered."""


class CredentialsUnavailable(ProvisioningError):
    """The parent has no AWS credentials to hand on, or they are about to expire."""


class StepPostponed(ProvisioningError):
    """The enclave answered 503 to a step, which may be retried, at most once per second.

    It could not reach KMS; or a model that was sent again did not come whole and sound, or found no room.
    """


class StepRefused(ProvisioningError):
    """The enclave refused a boot step and ends its process; the message names step and status."""
