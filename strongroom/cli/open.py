"""`strongroom open`: answers to sealed files, for whoever holds their tickets."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from strongroom.cli.answer_output import to_json
from strongroom.cli.connection import terms_options
from strongroom.cli.output import json_option
from strongroom.cli.progress import lines_with_progress
from strongroom.cli.tally import Tally

if TYPE_CHECKING:
    from strongroom.client.answers import Answer
    from strongroom.client.resting.outcomes import FileOutcome
    from strongroom.client.terms import Terms

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command("open")
@click.argument("files", metavar="ANSWER...", nargs=-1, required=True, type=_FILE)
@click.option("--tickets", type=_FOLDER, help="Folder of NAME.ticket  [default: beside NAME.answer]")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for NAME.txt of generated text, NAME.json of the rest.  [default: print]",
)
@click.option(
    "--proofs", type=click.Path(file_okay=False, path_type=Path), help="Folder for proof bundles, NAME.proof."
)
@click.option("--force", is_flag=True, help="Replace other files under these names.")
@json_option
@terms_options
def open_(
    files: tuple[Path, ...],
    tickets: Path | None,
    out: Path | None,
    proofs: Path | None,
    force: bool,
    as_json: bool,
    terms: "Terms",
) -> int:
    """Open each ANSWER with its ticket, after its evidence satisfied your policy and its receipt verified.

    The document is judged as archived, at the instant of the receipt. Without --out, answers are printed; with --json
    one line each. One file's failure does not stop the others.

    Exit 0 all opened, 1 some were not, 2 wrong usage.

    \b
    Example:  strongroom open answers/*.answer --tickets sealed/ --policy policy.toml --out plain/
    """
    from strongroom.client.resting.opening import open_files

    tally, given = Tally(as_json), len(set(files))
    with lines_with_progress(given, "opened") as write:

        def tell(done: "FileOutcome") -> None:
            line, printed = tally.line(done), done.answer if out is None else None
            write(line if printed is None else _with_answer(line, printed, as_json, alone=given == 1))

        open_files(files, terms, tickets=tickets, out=out, proofs=proofs, force=force, progress=tell)
    return tally.end()


def _with_answer(line: str, answer: "Answer", as_json: bool, *, alone: bool) -> str:
    """What is printed of a file whose answer is written nowhere."""
    from strongroom.client.resting.plain import plain

    if as_json:
        return json.dumps({**json.loads(line), **json.loads(to_json(answer))})
    text, _ = plain(answer)
    return text if alone else f"{line}\n{text}"
