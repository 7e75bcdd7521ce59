"""What the gateway says to the client, honest or not."""

from dataclasses import dataclass, field, replace
from typing import Self

from strongroom.protocol.constants import MEDIA_PROBLEM
from strongroom.protocol.problems import Problem


@dataclass(frozen=True)
class Reply:
    """An HTTP answer before it is written."""

    status: int
    media_type: str
    body: bytes = field(repr=False)
    headers: tuple[tuple[str, str], ...] = ()
    missing_bytes: int = 0
    """How many more it announces; then the connection breaks behind the body, instead of an orderly end."""

    @classmethod
    def problem(cls, problem: Problem) -> Self:
        """A refusal in the enclave's own bytes."""
        return cls(int(problem.status), MEDIA_PROBLEM, problem.to_bytes())

    @property
    def announced(self) -> int:
        """Its Content-Length."""
        return len(self.body) + self.missing_bytes

    def of(self, body: bytes) -> Self:
        """The same answer with another body."""
        return replace(self, body=body)
