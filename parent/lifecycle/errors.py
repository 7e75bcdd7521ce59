"""What can go wrong in the life of an enclave, as seen from the parent instance.

    LifecycleError
    ├── ImageRefused          not a file, or a ramdisk in it that does not unpack (attestation.eif refuses the rest)
    ├── DoesNotFit            the instance has not the memory or the CPUs; the message is the line that does not fit
    ├── UnknownInstanceType   not in the table; the message says what to give instead
    ├── AllocatorUnusable     allocator.yaml is something else than the allocator service reads
    ├── LauncherMissing       the program that starts enclaves is not installed
    ├── LaunchFailed          it was asked and refused; the message says what to do
    ├── NeverReady            an enclave ended, or did not prove itself in time, before it was ready for the first time
    ├── GaveUp                every enclave ended again and again
    └── StateUnusable         the state folder is in use, or holds what no supervisor wrote

`code` is for `--json`. No message holds content.
"""

from parent.errors import GatewayError


class LifecycleError(GatewayError):
    """Base of the above."""

    code = "lifecycle"


class ImageRefused(LifecycleError):
    """Not a file, or a ramdisk in it that does not unpack; attestation.eif refuses the rest."""

    code = "image"


class DoesNotFit(LifecycleError):
    """The instance has not the memory or the CPUs; the message is the line that does not fit."""

    code = "does-not-fit"


class UnknownInstanceType(LifecycleError):
    """An instance type that is not in the table."""

    code = "unknown-instance-type"


class AllocatorUnusable(LifecycleError):
    """allocator.yaml is something else than the allocator service reads, or cannot be changed here."""

    code = "allocator"


class LauncherMissing(LifecycleError):
    """The program that starts enclaves is not installed; the message names its package."""

    code = "not-installed"


class LaunchFailed(LifecycleError):
    """The launcher was asked and refused; `reason` is its own code, such as nitro-cli's E27."""

    code = "launch-failed"

    def __init__(self, message: str, reason: str | None = None) -> None:
        super().__init__(message)
        self.reason = reason


class NeverReady(LifecycleError):
    """An enclave ended, or did not prove itself in time, before it was ready for the first time."""

    code = "never-ready"


class GaveUp(LifecycleError):
    """Every enclave ended again and again; nothing runs any more."""

    code = "gave-up"


class StateUnusable(LifecycleError):
    """The state folder is in use by another supervisor, or holds what no supervisor wrote."""

    code = "state"
