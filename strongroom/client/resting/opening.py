"""Opening many answers with their tickets: each is verified again, and what is not there yet is written."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from strongroom.client.answers import Answer
from strongroom.client.errors import StrongroomError
from strongroom.client.kept_answers import MAX_ANSWER_BYTES
from strongroom.client.resting.errors import TicketMissing
from strongroom.client.resting.outcomes import FileOutcome, Progress, Record, unheard
from strongroom.client.resting.places import bases, make_folders
from strongroom.client.resting.plain import plain
from strongroom.client.resting.whole_files import SECRET_MODE, holds, read_bounded, write_whole
from strongroom.client.terms import Terms
from strongroom.client.tickets import MAX_TICKET_BYTES, Ticket


def open_files(
    files: Iterable[Path],
    terms: Terms,
    *,
    tickets: Path | None = None,
    out: Path | None = None,
    proofs: Path | None = None,
    force: bool = False,
    progress: Progress = unheard,
) -> list[Path]:
    """Open each NAME.answer with its NAME.ticket, in `tickets` or beside it, as `Ticket.open` does under `terms`.

    Files are `opened`, and `progress` is given their answers, or `failed`, which does not stop the others; gives those
    that failed. Into `out` goes NAME.txt of a chat, NAME.json of vectors and tensors; into `proofs`, NAME.proof; what
    is there already must be the same, unless `force` replaces it.

    Raises InvalidArgument, OSError for the run as a whole.
    """
    places = bases(files, ".answer", out or proofs)
    run, record = _Opening(terms, tickets, out, proofs, force), Record(progress)
    make_folders(out, proofs)
    for file, base in places.items():
        record.add(run.outcome(file, base.name))
    return record.failed


@dataclass(frozen=True)
class _Opening:
    """What all files of a run share."""

    terms: Terms
    tickets: Path | None
    out: Path | None
    proofs: Path | None
    force: bool

    def outcome(self, file: Path, name: str) -> FileOutcome:
        try:
            answer = self._open(file, (self.tickets or file.parent) / f"{name}.ticket")
            self._keep(answer, name)
        except (StrongroomError, OSError) as error:
            return FileOutcome(file, "failed", error)
        return FileOutcome(file, "opened", answer=answer)

    def _open(self, file: Path, ticket: Path) -> Answer:
        if not ticket.exists():
            raise TicketMissing(ticket)
        held = Ticket.from_bytes(read_bounded(ticket, MAX_TICKET_BYTES))
        return held.open(read_bounded(file, MAX_ANSWER_BYTES), self.terms)

    def _keep(self, answer: Answer, name: str) -> None:
        """All of its files that are not there yet, or none."""
        kept: dict[Path, bytes] = {}
        if self.proofs is not None:
            kept[self.proofs / f"{name}.proof"] = answer.proof()
        if self.out is not None:
            text, ending = plain(answer)
            kept[self.out / f"{name}.{ending}"] = text.encode()
        for path in [path for path, data in kept.items() if self.force or not holds(path, data)]:
            write_whole(path, kept[path], SECRET_MODE)
