"""The whole run: helpers and appliance are started, the sections measured one after the other."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.serving.embeddings import Embeddings
from benchmarks.serving.figures import Figures, Row, Side
from benchmarks.serving.judging import Tally
from benchmarks.serving.packages import package
from benchmarks.serving.plan import Plan
from benchmarks.serving.prompts import Prompts
from benchmarks.serving.servers import MAX_BATCH, Peers, Server, appliance
from benchmarks.serving.streams import SLOTS, StreamRace, context_of
from benchmarks.serving.workers import Worker, worker
from benchmarks.verification.figures import machine
from strongroom.models.quality import TOLERANCE, compare_build

Say = Callable[[str], None]


class Measurement:
    """Collects rows, sides and tallies."""

    def __init__(self, plan: Plan, peers: Peers, packages: Path, say: Say) -> None:
        self._plan, self._peers, self._say = plan, peers, say
        self._encoder, self._decoder = package(packages, plan.encoder), package(packages, plan.decoder)
        self._rows: list[Row] = []
        self._sides: list[Side] = []
        self._tally = Tally()
        self._settings: dict[str, object] = {
            "onnxruntime": version("onnxruntime"),
            "slots": SLOTS,
            "peers' largest batch": MAX_BATCH,
        }

    def run(self, *, may_skip: bool) -> Figures:
        """Everything once. Raises PartFailed, WorkerLost."""
        begun_s = time.monotonic()
        clients = max(max(crowds) for crowds in self._plan.texts.values())
        with ExitStack() as stack:
            served = stack.enter_context(appliance([self._encoder, self._decoder], clients))
            load = stack.enter_context(worker("benchmarks.serving.load"))
            self._embeddings(served(self._plan.encoder), load)
            self._streams(served(self._plan.decoder), load)
        if self._plan.quality:
            self._quality()
        return Figures(
            self._rows,
            self._sides,
            self._settings,
            self._tally,
            machine(),
            f"{datetime.now(UTC):%Y-%m-%d}",
            time.monotonic() - begun_s,
            tuple(self._peers.skipped),
            may_skip,
        )

    def _embeddings(self, sealed: Server, load: Worker) -> None:
        with TemporaryDirectory() as folder, worker("benchmarks.serving.raw_texts", str(self._encoder)) as raw:
            section = Embeddings(self._plan, sealed, load, raw, self._peers, self._encoder)
            for row in section.rows(Path(folder)):
                self._note(row)
        self._sides += section.sides
        self._tally.add(section.tally)
        self._settings |= section.settings

    def _streams(self, sealed: Server, load: Worker) -> None:
        prompts = Prompts(self._decoder)
        asked = prompts.equally_long()
        self._settings |= {"prompt tokens": len(asked[0].tokens), "new tokens": self._plan.new_tokens}
        arguments = map(str, (self._decoder, context_of(self._plan, asked), 1, SLOTS))
        with worker("benchmarks.serving.raw_streams", *arguments) as raw:
            section = StreamRace(self._plan, sealed, load, raw, prompts)
            for row in section.rows(self._peers, self._decoder):
                self._note(row)
        self._sides += section.sides
        self._tally.add(section.tally)

    def _quality(self) -> None:
        cache_dir = self._decoder.parent / "wheels"
        found = compare_build(self._plan.decoder, self._decoder, cache_dir=cache_dir, progress=self._say).shipped
        self._note(
            Row(f"{found.precision}: perplexity off float32's, as a part", abs(found.ratio - 1), "<=", TOLERANCE)
        )

    def _note(self, row: Row) -> None:
        self._say(f"{row.name}: {row.value:.3f}")
        self._rows.append(row)
