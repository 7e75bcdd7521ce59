"""What became of each file of a run, told as soon as it is known."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from strongroom.client.answers import Answer
from strongroom.client.errors import StrongroomError


@dataclass(frozen=True, slots=True)
class FileOutcome:
    """One file, by the name that it was given by; `error` says why it `failed`, `answer` what was `opened`."""

    file: Path
    outcome: Literal["sealed", "kept", "answered", "opened", "failed"]
    error: StrongroomError | OSError | None = None
    answer: Answer | None = field(default=None, repr=False)


Progress = Callable[[FileOutcome], object]
"""Called once for each file. What it raises ends the run, and costs nothing that was made."""


def unheard(outcome: FileOutcome) -> None:
    """The progress of a run that nobody watches."""


class Record:
    """Tells each outcome, and keeps the names of the files that failed."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self.failed: list[Path] = []

    def add(self, outcome: FileOutcome) -> None:
        """Tell it; an error is not kept, since its frames can hold the whole file."""
        if outcome.error is not None:
            self.failed.append(outcome.file)
        self._progress(outcome)
