"""A whole run: the control first, then both queues of the plan, honest exchanges between the attacks."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import aclosing
from random import Random

from strongroom.client import StrongroomError
from strongroom.selftest.catalogue import ATTACKS, Plan, Planned
from strongroom.selftest.control import Control
from strongroom.selftest.gateway import Script
from strongroom.selftest.outcome import Outcome
from strongroom.selftest.questions import Questions
from strongroom.selftest.trial import Desk, Inconclusive, Trial
from strongroom.selftest.world import World

Progress = Callable[[int], None]
"""Called with the number of trials that are done."""
_WORKERS = 8
_TRIALS_AN_HONEST = 10


async def run(world: World, *, trials: int, seed: int, progress: Progress) -> Outcome:
    """Try everything against `world`. Raises ValueError for too few trials, StrongroomError when nothing works."""
    plan, outcome, started_s = Plan.draw(trials, seed), Outcome(seed), time.monotonic()
    rng = Random(seed)  # noqa: S311 - repeatable values, not secrets
    lane = world.gateway.lane(Script(world.enclaves.home))
    async with world.client(lane.url) as client:
        questions = await Questions.collect(client, rng)
    outcome.control = await Control(world, questions).fooled(ATTACKS)
    queue = iter(plan.on_the_way)
    async with asyncio.TaskGroup() as workers:
        for _ in range(_WORKERS):
            workers.create_task(_work(Desk(world, questions), queue, outcome, progress))
        workers.create_task(_work(Desk(world, questions), iter(plan.siege), outcome, progress))
    outcome.seconds = time.monotonic() - started_s
    return outcome


async def _work(desk: Desk, queue: Iterator[Planned], outcome: Outcome, progress: Progress) -> None:
    async with aclosing(desk):
        for number, planned in enumerate(queue):
            await attempt(desk, planned, outcome)
            progress(outcome.trials)
            if number % _TRIALS_AN_HONEST == 0:
                await _ask_honestly(_trial(desk, f"{planned.seed} honest"), outcome)


async def attempt(desk: Desk, planned: Planned, outcome: Outcome) -> None:
    """One trial; whatever goes wrong in it is a fault of the run, never a success.

    One that was inconclusive is made once more: on a loaded machine an enclave says busy where it would have refused.
    """
    fooled = False
    try:
        try:
            fooled = await planned.attack.run(_trial(desk, planned.seed))
        except Inconclusive:
            outcome.repeated += 1
            fooled = await planned.attack.run(_trial(desk, planned.seed))
    except Exception as error:
        outcome.faults.append(f"{planned.attack.name}, seed {planned.seed}: {type(error).__name__}: {error}")
    outcome.add(planned.attack, fooled)


def _trial(desk: Desk, seed: str) -> Trial:
    return Trial(desk, Random(seed))  # noqa: S311 - repeatable values, not secrets


async def _ask_honestly(trial: Trial, outcome: Outcome) -> None:
    outcome.honest += 1
    try:
        await trial.honest(Script(trial.enclaves.home), trial.either())
    except (Inconclusive, StrongroomError) as error:
        outcome.honest_failed += 1
        outcome.faults.append(f"honest exchange: {type(error).__name__}: {error}")
