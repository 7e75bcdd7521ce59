"""Clients that generate."""

from __future__ import annotations

import asyncio
from functools import partial
from statistics import median

from benchmarks.serving.cpu import Meter
from benchmarks.serving.crowd import closing_all, gather
from benchmarks.serving.judging import Court, ExactJudge
from benchmarks.serving.orders import Report, Streams, Unbatched
from benchmarks.serving.targets import PlainClient, SealedClient, Speech


async def streams(order: Streams) -> Report:
    """Each prompt streamed, all at once."""

    async def ask(client: SealedClient, question: int) -> Speech:
        return await client.stream(order.prompts[question], order.tokens)

    async with closing_all([SealedClient(order.address) for _ in order.prompts]) as clients:
        await asyncio.gather(*(client.attest() for client in clients))
        meter = Meter(order.pids)
        found = await gather([partial(ask, client) for client in clients], len(clients), 0)
        each_ms = meter.each_ms(order.tokens * len(found.ended_s))
    told = [(question, speech and (speech.text, speech.tokens)) for question, speech in found.answers]
    tally = Court(ExactJudge([(text, order.tokens) for text in order.expected])).tally(told)
    spoken = [speech for _, speech in found.answers if speech is not None]
    return Report(
        tally,
        found.errors,
        order.tokens * found.per_s,
        found.p50_ms,
        first_ms=1000 * median(speech.first_s for speech in spoken) if spoken else None,
        pace_per_s=median(map(_pace_per_s, spoken)) if spoken else 0.0,
        **each_ms,
    )


async def unbatched(order: Unbatched) -> Report:
    """Each prompt, all at once."""

    async def ask(client: PlainClient, question: int) -> list[int]:
        return await client.generate(order.prompts[question], order.tokens)

    async with closing_all([PlainClient(order.address) for _ in order.prompts]) as clients:
        meter = Meter(order.pids)
        found = await gather([partial(ask, client) for client in clients], len(clients), 0)
        each_ms = meter.each_ms(order.tokens * len(found.ended_s))
    tally = Court(ExactJudge(order.expected)).tally(found.answers)
    return Report(tally, found.errors, order.tokens * found.per_s, found.p50_ms, **each_ms)


def _pace_per_s(speech: Speech) -> float:
    return (speech.tokens - 1) / (speech.seconds - speech.first_s)
