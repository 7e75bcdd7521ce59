"""Files at rest: written whole or not at all, and one line for each of many, whatever became of the others."""

import json
import os
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import click

from strongroom.cli.failures import EXIT_FAILED, EXIT_USAGE, CommandFailed, known
from strongroom.cli.readable import escaped


def write_whole(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Write beside `path`, to the disk, then take its name: whoever is killed leaves no half of it. Raises OSError."""
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as draft:
        try:
            os.fchmod(draft.fileno(), mode)
            draft.write(data)
            draft.flush()
            os.fsync(draft.fileno())
            os.replace(draft.name, path)
        except BaseException:
            os.unlink(draft.name)
            raise


def stems(files: Sequence[Path], suffix: str) -> dict[Path, str]:
    """The name of each file without `suffix`; outputs are named by it. Raises CommandFailed for one name twice."""
    names = {file: file.name.removesuffix(suffix) for file in dict.fromkeys(files)}
    if twice := [name for name, count in Counter(names.values()).items() if count > 1]:
        raise CommandFailed("usage", f"{twice[0]}: expected each name once, got two files of it", EXIT_USAGE)
    return names


@dataclass
class Tally:
    """What became of the files of a run, and the exit code that says so."""

    as_json: bool
    counts: Counter[str] = field(default_factory=Counter)

    def line(self, file: Path, work: Callable[[], str]) -> str:
        """Do the work on one file, which says in a word what became of it; gives the line about it.

        A failure that is known is this file's alone.
        """
        try:
            return self.succeeded(file, work())
        except Exception as error:
            failure = known(error)
            if failure is None:
                raise
            return self.failed(file, failure)

    def succeeded(self, file: Path, outcome: str) -> str:
        """The line of a file that went well."""
        self.counts[outcome] += 1
        if self.as_json:
            return json.dumps({"file": str(file), "outcome": outcome})
        return f"{click.style(outcome.ljust(8), fg='green')}  {escaped(str(file))}"

    def failed(self, file: Path, failure: CommandFailed) -> str:
        """The line of a file that did not."""
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
