"""`strongroom open`: answers to sealed files, for whoever holds their tickets."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from strongroom.cli.answer_output import fields_of, to_json
from strongroom.cli.connection import terms_options
from strongroom.cli.failures import CommandFailed
from strongroom.cli.files import read_bounded
from strongroom.cli.output import json_option
from strongroom.cli.progress import lines_with_progress
from strongroom.cli.rest_files import bases, holds, write_whole
from strongroom.cli.tally import Tally

if TYPE_CHECKING:
    from strongroom.client.answers import Answer
    from strongroom.client.terms import Terms

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
_SECRET_MODE = 0o600


@click.command("open")
@click.argument("files", metavar="ANSWER...", nargs=-1, required=True, type=_FILE)
@click.option("--tickets", type=_FOLDER, help="Folder of NAME.ticket  [default: beside NAME.answer]")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for NAME.txt of a chat, NAME.json of vectors and tensors.  [default: print]",
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
    found, tally = bases(files, ".answer", out or proofs), Tally(as_json)
    for folder in (out, proofs):
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
    run = _Opening(terms, tickets, out, proofs, force, tally)
    with lines_with_progress(len(found), "opened") as write:
        for file, base in found.items():
            write(run.line(file, base.name, alone=len(found) == 1))
    return tally.end()


@dataclass(frozen=True)
class _Opening:
    """What all files of a run share."""

    terms: "Terms"
    tickets: Path | None
    out: Path | None
    proofs: Path | None
    force: bool
    tally: Tally

    def line(self, file: Path, name: str, *, alone: bool) -> str:
        """Open one file; gives what is printed for it."""
        try:
            answer = self._open(file, name)
            self._keep(answer, name)
        except Exception as error:
            return self.tally.failed(file, error)
        said = self.tally.succeeded(file, "opened")
        if self.out is not None:
            return said
        if self.tally.as_json:
            return json.dumps({**json.loads(said), **json.loads(to_json(answer))})
        return _plain(answer) if alone else f"{said}\n{_plain(answer)}"

    def _open(self, file: Path, name: str) -> "Answer":
        from strongroom.client.kept_answers import MAX_ANSWER_BYTES
        from strongroom.client.tickets import MAX_TICKET_BYTES, Ticket

        ticket = (self.tickets or file.parent) / f"{name}.ticket"
        if not ticket.exists():
            raise CommandFailed("ticket", f"{ticket}: expected the ticket that seal wrote, got none: name its folder")
        held = Ticket.from_bytes(read_bounded(ticket, MAX_TICKET_BYTES))
        return held.open(read_bounded(file, MAX_ANSWER_BYTES), self.terms)

    def _keep(self, answer: "Answer", name: str) -> None:
        """All of its files that are not there yet, or none."""
        kept: dict[Path, bytes] = {}
        if self.proofs is not None:
            kept[self.proofs / f"{name}.proof"] = answer.proof()
        if self.out is not None:
            suffix = "txt" if "text" in fields_of(answer) else "json"
            kept[self.out / f"{name}.{suffix}"] = _plain(answer).encode()
        for path in [path for path, data in kept.items() if self.force or not holds(path, data)]:
            write_whole(path, kept[path], _SECRET_MODE)


def _plain(answer: "Answer") -> str:
    """The text of a chat as it is; vectors and tensors as JSON."""
    fields = fields_of(answer)
    return str(fields["text"]) if "text" in fields else to_json(answer)
