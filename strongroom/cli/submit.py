"""`strongroom submit`: sealed files in, sealed answers out, by anybody."""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from strongroom.cli.ending import interrupted_gently
from strongroom.cli.failures import EXIT_INTERRUPTED, EXIT_USAGE, CommandFailed
from strongroom.cli.files import read_bounded
from strongroom.cli.output import json_option
from strongroom.cli.progress import lines_with_progress
from strongroom.cli.rest_files import bases, write_whole
from strongroom.cli.tally import Tally

if TYPE_CHECKING:
    from strongroom.client.submitter import Submitter

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.argument("files", metavar="SEALED...", nargs=-1, required=True, type=_FILE)
@click.option("--url", envvar="STRONGROOM_URL", required=True, help="The gateway's address.")
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), help="Folder for NAME.answer  [default: beside]"
)
@click.option("--parallel", type=click.IntRange(1, 64), default=4, show_default=True, help="Requests at a time.")
@click.option(
    "--timeout", "timeout_s", type=click.FloatRange(min=0.1), default=120.0, show_default=True, help="Seconds for each."
)
@click.option("--force", is_flag=True, help="Replace answers to other requests under these names.")
@json_option
def submit(
    files: tuple[Path, ...], url: str, out: Path | None, parallel: int, timeout_s: float, force: bool, as_json: bool
) -> int:
    """Hand each SEALED file to the gateway and keep the sealed answer, with the evidence of whoever gave it.

    Needs no key and no policy: nothing is judged here but form. A busy gateway is asked again; answers that are there
    already are kept. One file's failure does not stop the others. The first Ctrl-C waits for those under way: where a
    file is good for one answer, that is lost with whoever waits for it.

    Exit 0 all answered, 1 some were not, 2 wrong usage, 130 interrupted.

    \b
    Example:  strongroom submit sealed/*.sealed --url https://gateway.example --out answers/
    """
    answers = {file: Path(f"{base}.answer") for file, base in bases(files, ".sealed", out).items()}
    tally = Tally(as_json)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
    with lines_with_progress(len(answers), "submitted") as write:
        asyncio.run(_submit_all(answers, _Submission(url, timeout_s, parallel, force, tally, write)))
    code = tally.end()
    return code if tally.counts.total() == len(answers) else EXIT_INTERRUPTED


@dataclass(frozen=True)
class _Submission:
    """What all files of a run share."""

    url: str
    timeout_s: float
    parallel: int
    force: bool
    tally: Tally
    write: Callable[[str], None]


async def _submit_all(answers: Mapping[Path, Path], run: _Submission) -> None:
    from strongroom.client.submitter import Submitter

    waiting = deque(answers.items())

    async def work_off() -> None:
        while waiting:
            run.write(await _line(submitter, *waiting.popleft(), run))

    async with Submitter(run.url, timeout_s=run.timeout_s) as submitter:
        with interrupted_gently(waiting.clear):
            # No group of tasks: whatever becomes of one, for example of its output, the others' answers are kept.
            workers = (work_off() for _ in range(min(run.parallel, len(answers))))
            ended = await asyncio.gather(*workers, return_exceptions=True)
    for error in filter(None, ended):
        raise error


async def _line(submitter: "Submitter", sealed: Path, answer: Path, run: _Submission) -> str:
    try:
        return run.tally.succeeded(sealed, await _submit(submitter, sealed, answer, run.force))
    except Exception as error:
        return run.tally.failed(sealed, error)


async def _submit(submitter: "Submitter", sealed: Path, answer: Path, force: bool) -> str:
    from strongroom.protocol.constants import MAX_SEALED_REQUEST_BYTES

    message = read_bounded(sealed, MAX_SEALED_REQUEST_BYTES)
    if not force and _is_answered(answer, message):
        return "kept"
    write_whole(answer, await submitter.submit(message))
    return "answered"


def _is_answered(answer: Path, message: bytes) -> bool:
    """Whether there is an answer; it must say that it answers this very request. Raises CommandFailed."""
    from strongroom.client.kept_answers import MAX_ANSWER_BYTES, KeptAnswer
    from strongroom.protocol.errors import ProtocolError
    from strongroom.protocol.messages import SealedRequestHead

    if not answer.exists():
        return False
    try:
        answered = KeptAnswer.from_bytes(read_bounded(answer, MAX_ANSWER_BYTES)).request_id
        same = answered == SealedRequestHead.read(message)[0].request_id
    except ProtocolError:
        same = False
    if not same:
        sentence = f"{answer}: expected nothing, or the answer to this request, got another: --force replaces it"
        raise CommandFailed("exists", sentence, EXIT_USAGE)
    return True
