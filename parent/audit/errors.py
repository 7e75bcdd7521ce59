"""What can go wrong with an audit log.

AuditError
├── LogGap      the enclave no longer keeps the next leaf
├── LogForked   what the enclave signed and what is stored cannot be the same log
└── LogInUse    another process writes to it
"""

from parent.errors import GatewayError


class AuditError(GatewayError):
    """An audit log cannot be kept up."""


class LogGap(AuditError):
    """The enclave no longer keeps the next leaf: the log stays what it is, the rest of this boot is lost."""


class LogForked(AuditError):
    """What the enclave signed and what is stored cannot be the same log."""


class LogInUse(AuditError):
    """Another process writes to the same folder."""
