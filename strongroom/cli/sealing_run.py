"""One run of `strongroom seal`: one data key, made when the first file needs it; what is sealed already is kept."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from strongroom.cli.failures import EXIT_USAGE, CommandFailed
from strongroom.cli.files import read_bounded
from strongroom.cli.rest_files import write_whole
from strongroom.cli.tasks import read_task
from strongroom.client.envelopes import EnvelopeSealer, is_sealed_under
from strongroom.client.tasks import ChatOptions
from strongroom.client.tickets import MAX_TICKET_BYTES, Ticket
from strongroom.protocol.configuration import KeyEntry
from strongroom.protocol.constants import MAX_SEALED_REQUEST_BYTES
from strongroom.protocol.contents import request_content
from strongroom.protocol.payloads import Task

_SECRET_MODE = 0o600


@dataclass(frozen=True, kw_only=True)
class SealingRun:
    """What all files of a run share."""

    entry: KeyEntry
    model: str
    not_after_ms: int
    single_use: bool
    force: bool
    options: ChatOptions
    make_key: Callable[[], tuple[bytes, bytes]]
    """kms:GenerateDataKey, in plain and wrapped."""

    def seal(self, file: Path, sealed: Path, ticket: Path) -> str:
        """Seal one file, or keep what an earlier run made of it; gives `sealed` or `kept`.

        The ticket is written first, and holds the sealed request too: whatever stops us between the two, the next run
        writes the other. So a request that is to be replaced goes first of all. Raises CommandFailed, InvalidArgument,
        OSError.
        """
        task = read_task(file, self.options)
        held = None if self.force else self._held(task, sealed, ticket)
        if held is not None and sealed.exists():
            return "kept"
        made = held or self._sealed(task)
        if held is None:
            sealed.unlink(missing_ok=True)
            write_whole(ticket, made.to_bytes(), _SECRET_MODE)
        write_whole(sealed, made.sealed)
        return "sealed"

    @cached_property
    def _sealer(self) -> EnvelopeSealer | CommandFailed:
        """Or why there is none: what KMS refused once it is not asked again for each file."""
        try:
            return EnvelopeSealer(self.entry, *self.make_key())
        except CommandFailed as failure:
            return failure

    def _sealed(self, task: Task) -> Ticket:
        if isinstance(self._sealer, CommandFailed):
            raise self._sealer
        return self._sealer.seal(
            task, model=self.model, not_after_ms=self.not_after_ms, at_ms=_now_ms(), single_use=self.single_use
        )

    def _held(self, task: Task, sealed: Path, ticket: Path) -> Ticket | None:
        """The ticket of an earlier run, of this very task, model and key, not expired. Raises CommandFailed."""
        if not ticket.exists():
            if sealed.exists():
                raise _other(sealed)
            return None
        held = Ticket.from_bytes(read_bounded(ticket, MAX_TICKET_BYTES))
        same_task = held.asked.content == request_content(task) and held.asked.head.model == self.model
        if not same_task or not is_sealed_under(held, self.entry):
            raise _other(ticket)
        if sealed.exists() and read_bounded(sealed, MAX_SEALED_REQUEST_BYTES) != held.sealed:
            raise _other(sealed)
        if held.not_after_ms <= _now_ms():
            sentence = f"{ticket}: expected a time to come, got --not-after past: open its answer, or use --force"
            raise CommandFailed("expired", sentence)
        return held


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _other(path: Path) -> CommandFailed:
    message = f"{path}: expected nothing, or this file sealed for the same model and key, got another: --force replaces"
    return CommandFailed("exists", message, EXIT_USAGE)
