"""Sealing many files: one data key, made when the first file needs it; what is sealed already is kept."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Literal, Unpack

from strongroom.client.envelopes import EnvelopeSealer, KMSClient, is_sealed_under, request_entry
from strongroom.client.errors import StrongroomError
from strongroom.client.resting.errors import DataKeyRefused, NameTaken, SealedExpired
from strongroom.client.resting.outcomes import FileOutcome, Progress, Record, unheard
from strongroom.client.resting.places import alone_in, bases, make_folders
from strongroom.client.resting.task_files import read_task
from strongroom.client.resting.whole_files import SECRET_MODE, read_bounded, write_whole
from strongroom.client.tasks import GenerationOptions
from strongroom.client.tickets import MAX_TICKET_BYTES, Ticket
from strongroom.protocol.configuration import DeploymentConfiguration, KeyEntry
from strongroom.protocol.constants import MAX_SEALED_REQUEST_BYTES
from strongroom.protocol.contents import request_content
from strongroom.protocol.payloads import Task


def seal_files(
    files: Iterable[Path],
    out: Path,
    *,
    configuration: DeploymentConfiguration,
    key_entry: str,
    kms: KMSClient,
    model: str,
    not_after_ms: int,
    single_use: bool = True,
    force: bool = False,
    progress: Progress = unheard,
    **options: Unpack[GenerationOptions],
) -> list[Path]:
    """Seal each file, a prompt in plain text or a task in .json, into `out`, as NAME.sealed and NAME.ticket.

    Files are `sealed`, or `kept` as an earlier run sealed them, or `failed`, which does not stop the others; gives
    those that failed. An interrupted run goes on when it is called again. `kms` is asked once, and only if a file is to
    be sealed; `options` are those of prompts in plain text. `not_after_ms` and `single_use` are those of
    `EnvelopeSealer.seal`. `force` replaces what another run left under the names: its answers are lost.

    Raises InvalidArgument, FolderInUse, OSError for the run as a whole.
    """
    places = bases(files, "", out)
    make_sealer = partial(EnvelopeSealer.generate, kms, configuration, key_entry)
    entry, record = request_entry(configuration, key_entry), Record(progress)
    run = _Sealing(entry, make_sealer, model, not_after_ms, single_use, force, options)
    make_folders(out)
    with alone_in(out):
        for file, base in places.items():
            record.add(run.outcome(file, Path(f"{base}.sealed"), Path(f"{base}.ticket")))
    return record.failed


@dataclass(frozen=True)
class _Sealing:
    """What all files of a run share."""

    entry: KeyEntry
    make_sealer: Callable[[], EnvelopeSealer]
    model: str
    not_after_ms: int
    single_use: bool
    force: bool
    options: GenerationOptions

    def outcome(self, file: Path, sealed: Path, ticket: Path) -> FileOutcome:
        try:
            return FileOutcome(file, self._seal(read_task(file, self.options), sealed, ticket))
        except (StrongroomError, OSError) as error:
            return FileOutcome(file, "failed", error)

    def _seal(self, task: Task, sealed: Path, ticket: Path) -> Literal["sealed", "kept"]:
        """Seal one task, or keep what an earlier run made of it.

        The ticket is written first, and holds the sealed request too: whatever stops us between the two, the next run
        writes the other. So a request that is to be replaced goes first of all.
        """
        held = None if self.force else self._held(task, sealed, ticket)
        if held is not None and sealed.exists():
            return "kept"
        made = held or self._sealed(task)
        if held is None:
            sealed.unlink(missing_ok=True)
            write_whole(ticket, made.to_bytes(), SECRET_MODE)
        write_whole(sealed, made.sealed)
        return "sealed"

    @cached_property
    def _sealer(self) -> EnvelopeSealer | StrongroomError:
        """Or why there is none: what KMS refused once it is not asked again for each file."""
        try:
            return self.make_sealer()
        except StrongroomError as error:
            return error
        except ImportError:
            raise
        except Exception as error:  # the caller's client of KMS has errors of its own
            return DataKeyRefused(error)

    def _sealed(self, task: Task) -> Ticket:
        if isinstance(self._sealer, StrongroomError):
            raise self._sealer.with_traceback(None)  # which would grow with each file
        return self._sealer.seal(
            task, model=self.model, not_after_ms=self.not_after_ms, at_ms=_now_ms(), single_use=self.single_use
        )

    def _held(self, task: Task, sealed: Path, ticket: Path) -> Ticket | None:
        """The ticket of an earlier run, of this very task, model and key, not expired."""
        if not ticket.exists():
            if sealed.exists():
                raise _other(sealed)
            return None
        held = Ticket.from_bytes(read_bounded(ticket, MAX_TICKET_BYTES))
        if not self._is_of(held, task):
            raise _other(ticket)
        if sealed.exists() and read_bounded(sealed, MAX_SEALED_REQUEST_BYTES) != held.sealed:
            raise _other(sealed)
        if held.not_after_ms <= _now_ms():
            raise SealedExpired(ticket)
        return held

    def _is_of(self, held: Ticket, task: Task) -> bool:
        same_task = held.asked.content == request_content(task) and held.asked.head.model == self.model
        return same_task and is_sealed_under(held, self.entry)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _other(path: Path) -> NameTaken:
    return NameTaken(path, "this file sealed for the same model and key")
