"""Submitting many sealed files, some at a time: answers that are there are kept, and asked for once."""

import asyncio
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from strongroom.client.errors import InvalidArgument, StrongroomError
from strongroom.client.kept_answers import MAX_ANSWER_BYTES, MAX_RESPONSE_BYTES, KeptAnswer, answering_document
from strongroom.client.resting.errors import NameTaken
from strongroom.client.resting.outcomes import FileOutcome, Progress, Record, unheard
from strongroom.client.resting.places import bases, make_folders
from strongroom.client.resting.whole_files import read_bounded, require_writable, write_whole
from strongroom.client.submitter import Submitter
from strongroom.protocol.constants import MAX_SEALED_REQUEST_BYTES
from strongroom.protocol.errors import ProtocolError
from strongroom.protocol.messages import SealedRequestHead


async def submit_files(
    files: Iterable[Path],
    submitter: Submitter,
    *,
    out: Path | None = None,
    parallel: int = 4,
    force: bool = False,
    progress: Progress = unheard,
    stopping: asyncio.Event | None = None,
) -> list[Path]:
    """Have each NAME.sealed answered, `parallel` of them at a time, as NAME.answer in `out` or beside it.

    Files are `answered`, or `kept` if their answer is there, or `failed`, which does not stop the others; gives those
    that failed. An answer without its evidence waits as NAME.response for the next run. Once `stopping` is set no other
    file is begun, and those under way are finished: where a file is good for one answer, whoever cancels the run while
    that is on its way loses it. `force` replaces answers to other requests, and asks anew.

    Raises InvalidArgument, OSError for the run as a whole, and at its end what `progress` raised.
    """
    if parallel < 1:
        raise InvalidArgument("parallel: expected at least 1")
    waiting = deque((file, Path(f"{base}.answer")) for file, base in bases(files, ".sealed", out).items())
    run, record = _Submission(submitter, force), Record(progress)
    make_folders(out)

    async def work_off() -> None:
        while waiting and not (stopping and stopping.is_set()):
            record.add(await run.outcome(*waiting.popleft()))

    # No group of tasks: whatever becomes of one, for example of its progress, the others' answers are kept.
    workers = (work_off() for _ in range(min(parallel, len(waiting))))
    for error in filter(None, await asyncio.gather(*workers, return_exceptions=True)):
        raise error
    return record.failed


@dataclass(frozen=True)
class _Submission:
    """What all files of a run share."""

    submitter: Submitter
    force: bool

    async def outcome(self, sealed: Path, answer: Path) -> FileOutcome:
        try:
            return FileOutcome(sealed, await self._submit(sealed, answer))
        except (StrongroomError, OSError) as error:
            return FileOutcome(sealed, "failed", error)

    async def _submit(self, sealed: Path, answer: Path) -> Literal["answered", "kept"]:
        message = read_bounded(sealed, MAX_SEALED_REQUEST_BYTES)
        path = answer.with_suffix(".response")
        if not self.force and _is_answered(answer, message, path):
            return "kept"
        response = None if self.force else _received(path, message)
        if response is None:
            require_writable(path.parent)  # before an answer comes that has no place to go
            response = await self.submitter.response(message)
            write_whole(path, response)  # it may come only once, its evidence again and again
        write_whole(answer, await self.submitter.with_evidence(message, response))
        path.unlink(missing_ok=True)
        return "answered"


def _received(path: Path, message: bytes) -> bytes | None:
    """What an earlier run got and found no evidence for; it must be of this very request. Raises NameTaken, OSError."""
    if not path.exists():
        return None
    response = read_bounded(path, MAX_RESPONSE_BYTES)
    try:
        answering_document(response, SealedRequestHead.read(message)[0])
    except ProtocolError:
        raise NameTaken(path, "the answer to this request") from None
    return response


def _is_answered(answer: Path, message: bytes, response: Path) -> bool:
    """Whether there is an answer to this very request.

    One to another is NameTaken, unless a `response` to this one waits: whoever had it asked for has used `force`.
    Raises NameTaken, OSError.
    """
    if not answer.exists():
        return False
    try:
        answered = KeptAnswer.from_bytes(read_bounded(answer, MAX_ANSWER_BYTES)).request_id
        same = answered == SealedRequestHead.read(message)[0].request_id
    except ProtocolError:
        same = False
    if not same and _received(response, message) is None:
        raise NameTaken(answer, "the answer to this request")
    return same
