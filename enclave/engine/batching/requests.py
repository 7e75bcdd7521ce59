"""What the scheduler moves: requests of many texts, and the rows that their texts become."""

from collections.abc import Sequence
from dataclasses import dataclass

from enclave.engine.tokenization import EncodedText


@dataclass(eq=False)
class Request:
    """The texts of one caller and how far they have come; two requests are never equal."""

    texts: Sequence[str]
    deadline_s: float
    """On the scheduler's clock; a request of which no row has run by then is shed."""
    tokenised: int = 0
    """How many of the texts were handed out to be tokenised."""
    ready: int = 0
    """Rows that wait for a batch."""
    batches: int = 0
    """Batches that rows of it were given out to."""
    unfinished: int = 0
    """Texts whose row has not run."""

    def __post_init__(self) -> None:
        self.unfinished = len(self.texts)


@dataclass(eq=False, slots=True)
class Row:
    """One tokenised text: what it belongs to, and its index among the texts."""

    request: Request
    index: int
    text: EncodedText

    @property
    def tokens(self) -> int:
        """Its length."""
        return len(self.text.tokens)
