"""One line for each of many files, whatever became of the others, and the exit code that sums them up."""

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import click

from strongroom.cli.failures import EXIT_FAILED, known
from strongroom.cli.readable import escaped

if TYPE_CHECKING:
    from strongroom.client.resting.outcomes import FileOutcome


@dataclass
class Tally:
    """What became of the files of a run."""

    as_json: bool
    counts: Counter[str] = field(default_factory=Counter)

    def line(self, done: "FileOutcome") -> str:
        """Count a file; gives the line about it. Raises an error that is not known: a defect of ours."""
        self.counts[done.outcome] += 1
        if done.error is not None:
            return self._failed(done.file, done.error)
        if self.as_json:
            return json.dumps({"file": str(done.file), "outcome": done.outcome})
        return f"{click.style(done.outcome.ljust(8), fg='green')}  {escaped(str(done.file))}"

    def _failed(self, file: Path, error: Exception) -> str:
        failure = known(error)
        if failure is None:
            raise error
        if self.as_json:
            return json.dumps({"file": str(file), "outcome": "failed", **json.loads(failure.to_json())})
        return f"{click.style('failed'.ljust(8), fg='red')}  {escaped(f'{file}: {failure.message}')}"

    def end(self) -> int:
        """Print the counts, but for programs; gives 1 if a file failed."""
        if not self.as_json and self.counts.total() > 1:
            listed = ", ".join(f"{count} {outcome}" for outcome, count in sorted(self.counts.items()))
            click.echo(f"{self.counts.total()} files: {listed}")
        return EXIT_FAILED if self.counts["failed"] else 0
