"""The load generator, a process of its own: clients that ask, and a judgement of every answer.

python -m benchmarks.serving.load        (orders.Order on standard input)
"""

from __future__ import annotations

import asyncio
from typing import Any

from benchmarks.serving.load_streams import streams, unbatched
from benchmarks.serving.load_texts import pairs, texts
from benchmarks.serving.orders import Order, Pairs, Report, Streams, Texts, Unbatched
from benchmarks.serving.workers import obey


async def do(order: Order) -> Report:
    """One order."""
    match order:
        case Texts():
            return await texts(order)
        case Pairs():
            return await pairs(order)
        case Streams():
            return await streams(order)
        case Unbatched():
            return await unbatched(order)


if __name__ == "__main__":
    orders: Any = Order  # a union is a type to msgspec
    with asyncio.Runner() as runner:
        obey(orders, lambda order: runner.run(do(order)))
