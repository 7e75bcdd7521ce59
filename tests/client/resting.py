"""Files at rest from Python: a folder, an enclave behind a gateway, and what each run told."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from strongroom.client.resting.opening import open_files
from strongroom.client.resting.outcomes import FileOutcome, Progress
from strongroom.client.resting.sealing import seal_files
from strongroom.client.resting.submitting import submit_files
from strongroom.client.submitter import Submitter
from strongroom.client.terms import Terms
from tests.client.fake_enclave import CONFIGURATION
from tests.client.fake_gateway import FakeGateway

HOUR_MS = 3_600_000
NAMES = ["a.txt", "b.txt", "c.json"]


class Interrupted(BaseException):
    """What no code of ours catches, as good as Ctrl-C."""


@dataclass(frozen=True)
class Desk:
    """Its `in` holds two prompts and a task; runs give what they told, and must give the names of what failed."""

    folder: Path
    gateway: FakeGateway
    terms: Terms

    @property
    def files(self) -> list[Path]:
        return sorted((self.folder / "in").iterdir())

    def seal(self, progress: Progress | None = None, *, files: list[Path] | None = None, **changes: Any) -> list[str]:
        given = {"configuration": CONFIGURATION, "key_entry": "requests", "kms": self.gateway.enclave.kms}
        span = {"model": "tiny", "not_after_ms": time.time_ns() // 1_000_000 + HOUR_MS}
        told: list[FileOutcome] = []
        failed = seal_files(
            self.files if files is None else files,
            self.folder / "sealed",
            progress=telling(told, progress),
            **{**given, **span, **changes},
        )
        return checked(told, failed)

    async def submit(self, progress: Progress | None = None, **options: Any) -> list[str]:
        told: list[FileOutcome] = []
        sealed = sorted(self.folder.glob("sealed/*.sealed"))
        async with Submitter(self.gateway.url, timeout_s=5.0, waits_s=(0.0,)) as submitter:
            where = {"out": self.folder / "answers", "progress": telling(told, progress)}
            failed = await submit_files(sealed, submitter, **{**where, **options})
        return checked(told, failed)

    def open(self, progress: Progress | None = None, **changes: Any) -> list[str]:
        told: list[FileOutcome] = []
        where = {"tickets": self.folder / "sealed", "out": self.folder / "out", "proofs": self.folder / "proofs"}
        answers = sorted(self.folder.glob("answers/*.answer"))
        failed = open_files(answers, self.terms, progress=telling(told, progress), **{**where, **changes})
        return checked(told, failed)

    def contents(self, pattern: str) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in sorted(self.folder.glob(pattern))}


def telling(told: list[FileOutcome], progress: Progress | None) -> Progress:
    def tell(outcome: FileOutcome) -> None:
        told.append(outcome)
        if progress is not None:
            progress(outcome)

    return tell


def checked(told: list[FileOutcome], failed: list[Path]) -> list[str]:
    """Outcomes, those that failed as their error's code: each file told once, with an error if it failed."""
    assert len({outcome.file for outcome in told}) == len(told)
    assert [outcome.file for outcome in told if outcome.outcome == "failed"] == failed
    assert all((outcome.outcome == "failed") == (outcome.error is not None) for outcome in told)
    return [getattr(outcome.error, "code", outcome.outcome) for outcome in told]


def interrupting_at(count: int) -> Callable[[FileOutcome], None]:
    """A progress that ends the run at that file."""
    told = []

    def tell(outcome: FileOutcome) -> None:
        told.append(outcome)
        if len(told) == count:
            raise Interrupted

    return tell
