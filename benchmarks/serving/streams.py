"""Sealed streams beside the raw slot loop, and beside a server that does not batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median

from benchmarks.serving.figures import Row, Side, milliseconds, ratio
from benchmarks.serving.judging import Tally
from benchmarks.serving.orders import Report, Streams, Unbatched
from benchmarks.serving.plan import Plan
from benchmarks.serving.prompts import Prompt, Prompts
from benchmarks.serving.raw_orders import Answers, Generate
from benchmarks.serving.servers import Peers, Server, unbatched
from benchmarks.serving.targets import Plain, Sealed
from benchmarks.serving.workers import Worker
from enclave.engine.capacity import Capacity

SLOTS = Capacity().slots
"""Of the enclave; the slot loop has as many rows."""
MIN_OF_LOOP = 0.9
MIN_OF_UNBATCHED = 2.3
MIN_OF_ONE = 0.97
MAX_ADDED_FIRST_MS = 5.0


def context_of(plan: Plan, prompts: Sequence[Prompt]) -> int:
    """Tokens of the longest sequence."""
    return max(len(prompt.tokens) for prompt in prompts) + plan.new_tokens


class StreamRace:
    """The measurement of one model; `load` and `raw` are helpers."""

    def __init__(self, plan: Plan, sealed: Server, load: Worker, raw: Worker, prompts: Prompts) -> None:
        self._plan, self._sealed, self._load, self._raw = plan, sealed, load, raw
        self._prompts = prompts
        self._asked = prompts.equally_long()
        self.tally = Tally()
        self.sides: list[Side] = []

    def rows(self, peers: Peers, package: Path) -> Iterator[Row]:
        """Everything, in order. What each prompt's answer is, is found out first, by running it alone."""
        alone = [self._generate([prompt], 1) for prompt in self._asked]
        self._answers = [answers.tokens[0] for answers in alone]
        for answer in self._answers:
            assert not self._prompts.stop_tokens & set(answer), "expected prompts whose answers go on"
        yield from self._one()
        yield from self._all(peers, package)

    def _one(self) -> Iterator[Row]:
        """A prompt alone, on both sides in turns."""
        raw, sealed = [], []
        for number in range(self._plan.lone_rounds):
            which = slice(number % len(self._asked), number % len(self._asked) + 1)
            raw.append(self._generate(self._asked[which], 1))
            sealed.append(self._stream(which))
        new = self._plan.new_tokens
        paces = [(new - 1) / (each.seconds - each.first_s) for each in raw]
        of_raw = median(ours.pace_per_s / pace for ours, pace in zip(sealed, paces, strict=True))
        pairs = zip(sealed, raw, strict=True)
        added = median(milliseconds(ours.first_ms) - 1000 * theirs.first_s for ours, theirs in pairs)
        self.sides += [
            _raw_side("one stream: raw decode loop", raw, new),
            Side.of("one stream: sealed", sealed),
        ]
        yield Row("one stream: tokens a second to the raw decode loop's", of_raw, ">=", MIN_OF_ONE)
        yield Row("one stream: time to first token, added to raw", added, "<=", MAX_ADDED_FIRST_MS, "ms")

    def _all(self, peers: Peers, package: Path) -> Iterator[Row]:
        """All prompts at once, on both sides in turns; then the server that does not batch."""
        raw, sealed = [], []
        for _ in range(self._plan.stream_rounds):
            raw.append(self._generate(self._asked, SLOTS))
            sealed.append(self._stream(slice(None)))
        tokens = self._plan.new_tokens * len(self._asked)
        what = f"{len(self._asked)} streams"
        self.sides += [
            _raw_side(f"{what}: raw slot loop, {SLOTS} rows", raw, tokens),
            Side.of(f"{what}: sealed", sealed),
        ]
        of_raw = median(ours.per_s * theirs.seconds / tokens for ours, theirs in zip(sealed, raw, strict=True))
        yield Row(f"{what}: sealed tokens a second to the raw slot loop's", of_raw, ">=", MIN_OF_LOOP)
        yield from self._unbatched(peers, package, sealed, what)

    def _unbatched(self, peers: Peers, package: Path, sealed: list[Report], what: str) -> Iterator[Row]:
        peer = unbatched(context_of(self._plan, self._asked))
        if not peers.has(peer):
            return
        with peers.running(peer, package) as server:
            assert isinstance(server.address, Plain)
            prompts = [prompt.tokens for prompt in self._asked]
            order = Unbatched(server.address, server.pids, prompts, self._answers, self._plan.new_tokens)
            theirs = [self._tallied(order) for _ in range(self._plan.unbatched_rounds)]
        self.sides.append(Side.of(f"{what}: unbatched FastAPI", theirs))
        times = ratio(median(each.per_s for each in sealed), median(each.per_s for each in theirs))
        yield Row(f"{what}: sealed tokens a second to the unbatched server's", times, ">=", MIN_OF_UNBATCHED)

    def _generate(self, prompts: Sequence[Prompt], rows: int) -> Answers:
        return self._raw.ask(Generate([prompt.tokens for prompt in prompts], self._plan.new_tokens, rows), Answers)

    def _stream(self, which: slice) -> Report:
        texts = [prompt.text for prompt in self._asked[which]]
        expected = [self._prompts.decode(answer) for answer in self._answers[which]]
        assert isinstance(self._sealed.address, Sealed)
        return self._tallied(Streams(self._sealed.address, self._sealed.pids, texts, expected, self._plan.new_tokens))

    def _tallied(self, order: Streams | Unbatched) -> Report:
        report = self._load.ask(order, Report)
        self.tally.add(report.tally)
        return report


def _raw_side(name: str, answers: list[Answers], tokens: int) -> Side:
    seconds = median(each.seconds for each in answers)
    cpu_ms = 1000 * median(each.cpu_s for each in answers) / tokens
    return Side(name, tokens / seconds, cpu_ms, p50_ms=1000 * seconds)
