"""Errors as KMS sends them: a name, a message, HTTP 400 unless AWS says otherwise."""

from http import HTTPStatus


class KMSError(Exception):
    """A refusal with the name that KMS gives it (`InvalidCiphertextException`, …).

    Source: KMS API Reference, "Common errors" and the errors of each operation.
    """

    def __init__(self, name: str, message: str, status: int = HTTPStatus.BAD_REQUEST) -> None:
        super().__init__(f"{name}: {message}")
        self.name = name
        self.message = message
        self.status = status

    def to_json(self) -> dict[str, str]:
        """The answer's body. KMS spells `Message` with a capital in AccessDeniedException alone."""
        member = "Message" if self.name == "AccessDeniedException" else "message"
        return {"__type": self.name, member: self.message}


def validation(message: str) -> KMSError:
    """A request whose members are wrong."""
    return KMSError("ValidationException", message)


def invalid_ciphertext() -> KMSError:
    """A blob that does not open. KMS sends no message with it, so that it is no oracle."""
    return KMSError("InvalidCiphertextException", "")
