"""Sealed embeddings beside raw onnxruntime and beside servers that do not seal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from statistics import median

from benchmarks.serving.figures import Row, Side, milliseconds, ratio
from benchmarks.serving.judging import Tally
from benchmarks.serving.orders import Pairs, Report, Texts
from benchmarks.serving.plan import Plan
from benchmarks.serving.raw_orders import Make, Race, Setting, Speed
from benchmarks.serving.servers import EMBEDDING_PEERS, Peers, Server, plain_fastapi
from benchmarks.serving.workers import Worker

MIN_OF_RAW = {128: 0.9, 32: 0.75}
PEERS_AT_TOKENS = 32
MAX_ADDED_MS = 1.5

_SEALED, _RAW = "sealed", "raw onnxruntime"
_SWEEP_S, _FINAL_S, _FINALISTS, _FINAL_TURNS = 0.5, 1.0, 4, 3
_THREADS = 2


class Embeddings:
    """The measurement of one model; `load` and `raw` are helpers."""

    def __init__(self, plan: Plan, sealed: Server, load: Worker, raw: Worker, peers: Peers, package: Path) -> None:
        self._plan, self._sealed, self._load, self._raw = plan, sealed, load, raw
        self._peers, self._package = peers, package
        self.tally = Tally()
        self.sides: list[Side] = []
        self.settings: dict[str, object] = {}

    def rows(self, folder: Path) -> Iterator[Row]:
        """Everything, in order; the questions are written into the folder."""
        for tokens, crowds in self._plan.texts.items():
            self._raw.ask(Make(tokens, 4 * max(crowds), str(folder)), Speed)
            setting = self._best()
            self.settings[f"raw at {tokens} tokens"] = str(setting)
            with ExitStack() as stack:
                servers = {_SEALED: self._sealed}
                if tokens == PEERS_AT_TOKENS:
                    servers |= self._started(stack)
                for clients in crowds:
                    yield from self._throughput(tokens, clients, setting, servers, folder)
        yield from self._latency(folder)

    def _started(self, stack: ExitStack) -> dict[str, Server]:
        there = [peer for peer in EMBEDDING_PEERS if self._peers.has(peer)]
        return {peer.environment: stack.enter_context(self._peers.running(peer, self._package)) for peer in there}

    def _best(self) -> Setting:
        """What makes raw onnxruntime fastest on these texts: all settings once, the best of them again in turns."""
        layouts = ((_THREADS, 1), (1, _THREADS))
        settings = [
            Setting(sessions, threads, batch, arena)
            for sessions, threads in layouts
            for batch in self._plan.batches
            for arena in (False, True)
        ]
        first = {setting: self._race(setting, min(_SWEEP_S, self._plan.seconds)) for setting in settings}
        best = sorted(settings, key=lambda setting: first[setting].per_s)[-_FINALISTS:]
        last_s = min(_FINAL_S, self._plan.seconds)
        turns = [{each: self._race(each, last_s) for each in best} for _ in range(_FINAL_TURNS)]
        return max(best, key=lambda setting: median(turn[setting].per_s for turn in turns))

    def _race(self, setting: Setting, seconds: float) -> Speed:
        return self._raw.ask(Race(setting, seconds), Speed)

    def _throughput(
        self, tokens: int, clients: int, setting: Setting, servers: Mapping[str, Server], folder: Path
    ) -> Iterator[Row]:
        """All sides in turns; a ratio is the median of those of the rounds."""
        found: dict[str, list[Report]] = {name: [] for name in (_RAW, *servers)}
        for _ in range(self._plan.rounds):
            speed = self._race(setting, self._plan.seconds)
            found[_RAW].append(Report(Tally(), per_s=speed.per_s, cpu_ms=speed.cpu_ms))
            for name, server in servers.items():
                found[name].append(self._crowd(server, clients, folder))
        what = f"{tokens} tokens, {clients} clients"
        self.sides += [Side.of(f"{what}: {name}", reports) for name, reports in found.items()]
        of_raw = _ratio(found[_SEALED], found[_RAW])
        yield Row(f"{what}: sealed throughput to raw onnxruntime's", of_raw, ">=", MIN_OF_RAW[tokens])
        for peer in [name for name in servers if name != _SEALED]:
            yield Row(f"{what}: sealed throughput to that of {peer}", _ratio(found[_SEALED], found[peer]), ">", 1)

    def _crowd(self, server: Server, clients: int, folder: Path) -> Report:
        plan = self._plan
        order = Texts(server.address, server.pids, str(folder), clients, plan.warm_s, plan.seconds)
        return self._asked(order)

    def _asked(self, order: Texts | Pairs) -> Report:
        report = self._load.ask(order, Report)
        self.tally.add(report.tally)
        return report

    def _latency(self, folder: Path) -> Iterator[Row]:
        """One client, on the texts that were made last; a request of either side may use all cores."""
        peer = plain_fastapi(_THREADS)
        if self._peers.has(peer):
            with self._peers.running(peer, self._package) as plain:
                addresses = (self._sealed.address, plain.address)
                report = self._asked(Pairs(addresses, str(folder), self._plan.pairs))
            name = "one client, p50: added by sealing to plain FastAPI + onnxruntime"
            yield Row(name, milliseconds(report.added_p50_ms), "<=", MAX_ADDED_MS, "ms")


def _ratio(ours: list[Report], theirs: list[Report]) -> float:
    pairs = zip(ours, theirs, strict=True)
    return median(ratio(mine.per_s, other.per_s) for mine, other in pairs)
