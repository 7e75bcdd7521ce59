"""Many documents in one run: every file found is judged, whatever the others are, and each has one line."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from strongroom.cli.evidence import read_evidence
from strongroom.cli.failures import EXIT_FAILED, EXIT_USAGE, CommandFailed
from strongroom.cli.files import STANDARD_INPUT
from strongroom.cli.judgement import Judge
from strongroom.cli.progress import lines_with_progress
from strongroom.cli.readable import escaped
from strongroom.cli.verdicts import row

_UNREADABLE = "unreadable"
_ACCEPTED = "accepted"


def judge_many(names: Sequence[Path], judge: Judge, as_json: bool) -> int:
    """Judge files and the files directly in folders; gives the exit code.

    1 if one was rejected, else 2 if one could not be read, else 0. Raises CommandFailed where there is no file.
    """
    files = [file for name in names for file in _files_of(name)]
    if sum(file is STANDARD_INPUT for file in files) > 1:
        raise CommandFailed("usage", "expected standard input (-) once, got it again", EXIT_USAGE)
    outcomes: Counter[str] = Counter()
    with lines_with_progress(len(files)) as write:
        for file in files:
            outcome, line = _judged(file, judge, as_json)
            outcomes[outcome] += 1
            write(line)
    if not as_json:
        click.echo(_summary(outcomes))
    if outcomes.keys() - {_ACCEPTED, _UNREADABLE}:
        return EXIT_FAILED
    return EXIT_USAGE if outcomes[_UNREADABLE] else 0


def _files_of(name: Path) -> list[Path]:
    """A file itself; of a folder, its files by name: no sub-folders, and nothing that one could wait for.

    A link to nothing is one of the files: what is gone is unreadable, not absent.
    """
    if name is STANDARD_INPUT or not name.is_dir():
        return [name]
    files = sorted(each for each in name.iterdir() if each.is_file() or not each.exists())
    if not files:
        raise CommandFailed("file", f"{name}: expected files to judge directly in this folder, got none", EXIT_USAGE)
    return files


def _judged(file: Path, judge: Judge, as_json: bool) -> tuple[str, str]:
    """What became of one file, accepted, unreadable or a rejection code, and its line."""
    try:
        report = judge(read_evidence(file))
    except CommandFailed as failure:
        error = {"code": failure.code, "reason": failure.reason, "message": failure.message}
        text = f"{click.style(_UNREADABLE, fg='red')}  {escaped(failure.message)}"
        return _UNREADABLE, json.dumps({"file": str(file), "error": error}) if as_json else text
    outcome = _ACCEPTED if report.rejection is None else str(report.rejection.code)
    return outcome, json.dumps({"file": str(file), **report.to_builtins()}) if as_json else row(str(file), report)


def _summary(outcomes: Counter[str]) -> str:
    codes = {code: count for code, count in sorted(outcomes.items()) if code not in (_ACCEPTED, _UNREADABLE)}
    parts = [f"{outcomes[_ACCEPTED]} accepted", f"{sum(codes.values())} rejected", *_unreadable(outcomes)]
    listed = ", ".join(f"{count} {code}" for code, count in codes.items())
    files = "1 file" if outcomes.total() == 1 else f"{outcomes.total()} files"
    return f"{files}: {', '.join(parts)}" + (f"  ({listed})" if listed else "")


def _unreadable(outcomes: Counter[str]) -> Iterator[str]:
    if outcomes[_UNREADABLE]:
        yield f"{outcomes[_UNREADABLE]} {_UNREADABLE}"
