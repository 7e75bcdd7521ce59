"""The errors of files at rest; each is one file's alone, but for FolderInUse.

    StrongroomError (strongroom.client.errors)
    ├── NameTaken        something else is under a name that the run would write
    ├── FolderInUse      another run seals into the folder
    ├── SealedExpired    it is sealed already, and its time has passed
    ├── TicketMissing    nothing opens this answer
    ├── NotText          no prompt in UTF-8
    ├── NotATask         no task of docs/protocol.md, in a file that ends in .json
    ├── FileTooLarge     more bytes than its kind can have
    └── DataKeyRefused   what the caller's client of KMS raised (`__cause__`)

Texts name files and never quote them.
"""

from pathlib import Path

from strongroom.client.errors import StrongroomError


class NameTaken(StrongroomError):
    """Something else is under a name that the run would write."""

    code, exit_code = "exists", 2

    def __init__(self, path: Path, wanted: str) -> None:
        super().__init__(f"{path}: expected nothing, or {wanted}, got another: force replaces it")


class FolderInUse(StrongroomError):
    """Another run seals into the folder."""

    code = "in-use"

    def __init__(self, folder: Path) -> None:
        super().__init__(f"{folder}: expected no other run at work in it: wait for its end")


class SealedExpired(StrongroomError):
    """The file is sealed already, and no enclave answers it any more."""

    code = "expired"

    def __init__(self, ticket: Path) -> None:
        super().__init__(f"{ticket}: expected a time to come, got a not-after past: open its answer, or use force")


class TicketMissing(StrongroomError):
    """Nothing opens this answer."""

    code = "ticket"

    def __init__(self, ticket: Path) -> None:
        super().__init__(f"{ticket}: expected the ticket that seal wrote, got none: name its folder")


class NotText(StrongroomError):
    """The file is no prompt."""

    code, exit_code = "text", 2

    def __init__(self, file: Path) -> None:
        super().__init__(f"{file}: expected text in UTF-8 or a task in .json")


class NotATask(StrongroomError):
    """The file ends in .json and holds no task."""

    code, exit_code = "content", 2

    def __init__(self, file: Path) -> None:
        super().__init__(f"{file}: expected a task of docs/protocol.md, as JSON with bytes in base64")


class FileTooLarge(StrongroomError):
    """More bytes than a file of its kind can have."""

    code, exit_code = "too-large", 2

    def __init__(self, path: Path, max_bytes: int) -> None:
        super().__init__(f"{path}: expected at most {max_bytes} bytes")


class DataKeyRefused(StrongroomError):
    """KMS, or the way to it, gave no data key; `__cause__` is what the caller's client of KMS raised."""

    code = "kms"

    def __init__(self, cause: Exception) -> None:
        super().__init__(f"expected a data key from KMS, got none: {cause}")
        self.__cause__ = cause
