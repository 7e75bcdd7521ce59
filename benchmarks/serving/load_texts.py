"""Clients that embed."""

from __future__ import annotations

import json
from array import array
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks.serving.cpu import Meter
from benchmarks.serving.crowd import Ask, closing_all, gather
from benchmarks.serving.judging import Court, VectorJudge
from benchmarks.serving.orders import Pairs, Report, Texts
from benchmarks.serving.raw_orders import EXPECTED, TEXTS
from benchmarks.serving.targets import Embedder, embedder


async def texts(order: Texts) -> Report:
    """Throughput."""
    questions, court = _questions(order.folder)
    async with closing_all([embedder(order.address) for _ in range(order.clients)]) as clients:
        asks = _asks(clients, questions)
        first = await gather(asks, len(questions), 0)  # connections, attestation
        meter = Meter(order.pids)
        found = await gather(asks, len(questions), order.warm_s + order.seconds)
        each_ms = meter.each_ms(len(found.ended_s))
    counted = sum(order.warm_s <= ended_s < order.warm_s + order.seconds for ended_s in found.ended_s)
    tally = court.tally([*first.answers, *found.answers])
    return Report(tally, first.errors + found.errors, counted / order.seconds, found.p50_ms, **each_ms)


async def pairs(order: Pairs) -> Report:
    """Latency of one client beside another's, text by text."""
    questions, court = _questions(order.folder)
    async with closing_all([embedder(address) for address in order.addresses]) as clients:
        asks = _asks(clients, questions)
        for _ in range(2):  # connections, attestation
            await gather(asks, len(questions), 0)
        found = [[await gather([ask], len(questions), 0) for ask in asks] for _ in range(order.count)]
    tally = court.tally([answer for pair in found for each in pair for answer in each.answers])
    whole = [pair for pair in found if all(each.waited_s for each in pair)]
    added = [pair[0].p50_ms - pair[1].p50_ms for pair in whole]
    p50_ms = median(pair[0].p50_ms for pair in whole) if whole else 0.0
    errors = sum((each.errors for pair in found for each in pair), Counter[str]())
    return Report(tally, errors, p50_ms=p50_ms, added_p50_ms=median(added) if added else None)


def _questions(folder: str) -> tuple[list[str], Court[array[float]]]:
    questions: list[str] = json.loads((Path(folder) / TEXTS).read_text())
    return questions, Court(VectorJudge(np.load(Path(folder) / EXPECTED)))


def _asks(clients: Sequence[Embedder], questions: Sequence[str]) -> list[Ask[array[float]]]:
    async def ask(client: Embedder, question: int) -> array[float]:
        return await client.embed(questions[question])

    return [partial(ask, client) for client in clients]
