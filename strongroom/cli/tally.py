"""One line for each of many files, whatever became of the others, and the exit code that sums them up."""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import click

from strongroom.cli.failures import EXIT_FAILED, known
from strongroom.cli.readable import escaped


@dataclass
class Tally:
    """What became of the files of a run."""

    as_json: bool
    counts: Counter[str] = field(default_factory=Counter)

    def line(self, file: Path, work: Callable[[], str]) -> str:
        """Do the work on one file, which says in a word what became of it; gives the line about it.

        A failure that is known is this file's alone.
        """
        try:
            return self.succeeded(file, work())
        except Exception as error:
            return self.failed(file, error)

    def succeeded(self, file: Path, outcome: str) -> str:
        """The line of a file that went well."""
        self.counts[outcome] += 1
        if self.as_json:
            return json.dumps({"file": str(file), "outcome": outcome})
        return f"{click.style(outcome.ljust(8), fg='green')}  {escaped(str(file))}"

    def failed(self, file: Path, error: Exception) -> str:
        """The line of a file that did not. Raises an error that is not known: a defect of ours."""
        failure = known(error)
        if failure is None:
            raise error
        self.counts["failed"] += 1
        if self.as_json:
            return json.dumps({"file": str(file), "outcome": "failed", **json.loads(failure.to_json())})
        return f"{click.style('failed'.ljust(8), fg='red')}  {escaped(f'{file}: {failure.message}')}"

    def end(self) -> int:
        """Print the counts, but for programs; gives 1 if a file failed."""
        if not self.as_json and self.counts.total() > 1:
            listed = ", ".join(f"{count} {outcome}" for outcome, count in sorted(self.counts.items()))
            click.echo(f"{self.counts.total()} files: {listed}")
        return EXIT_FAILED if self.counts["failed"] else 0
