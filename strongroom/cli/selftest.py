"""`strongroom selftest --adversarial`: the evil parent, on this machine."""

import asyncio
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from strongroom.cli.failures import EXIT_FAILED, EXIT_USAGE, CommandFailed
from strongroom.cli.output import json_option, print_json

if TYPE_CHECKING:
    from strongroom.selftest.outcome import Outcome

_LEAST_TRIALS, _TRIALS, _MOST_TRIALS = 60, 5_000, 1_000_000
"""The least is one of each attack."""


@click.command()
@click.option("--adversarial", is_flag=True, help="Attack the real client and real enclaves; there is no other test.")
@click.option(
    "--trials",
    type=click.IntRange(_LEAST_TRIALS, _MOST_TRIALS),
    default=_TRIALS,
    show_default=True,
    help="How many attacks, at least one of each.",
)
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Equal seeds, equal attacks.")
@json_option
def selftest(adversarial: bool, trials: int, seed: int, as_json: bool) -> int:
    """Let an evil parent attack client and enclaves, and fail if it wins once.

    Four enclaves of the simulator, the real client, and between them a gateway and a proxy that replay, reorder, cut,
    swap, forge and lie. Honest exchanges in between must all succeed, and a client without the checks must be fooled.
    Each attack names its line in docs/threat-model.md. Simulated: this proves nothing about Nitro hardware.

    \b
    Example:  strongroom selftest --adversarial --trials 5000
    """
    if not adversarial:
        raise CommandFailed("usage", "expected --adversarial: it starts processes and takes a while", EXIT_USAGE)
    outcome = _run(trials, seed)
    if as_json:
        print_json(outcome.to_json())
    else:
        _print(outcome)
    return 0 if outcome.passed else EXIT_FAILED


def _run(trials: int, seed: int) -> "Outcome":
    from strongroom.selftest.run import run
    from strongroom.selftest.world import World
    from strongroom.simulator.part import PartFailed

    async def main(folder: Path) -> "Outcome":
        with _ending_in_order():
            async with World(folder, _say) as world:
                with _progress(trials) as progress:
                    return await run(world, trials=trials, seed=seed, progress=progress)

    with tempfile.TemporaryDirectory(prefix="strongroom-", ignore_cleanup_errors=True) as folder:
        try:
            return asyncio.run(main(Path(folder)))
        except PartFailed as failure:
            raise CommandFailed("part-failed", str(failure)) from None


@contextmanager
def _ending_in_order() -> Iterator[None]:
    """A signal cancels this task, which stops what it started; only then does the process end."""
    loop, received = asyncio.get_running_loop(), list[int]()
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 - for the type checker

    def end(number: int) -> None:
        received.append(number)
        task.cancel()

    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            loop.add_signal_handler(number, end, number)
    try:
        yield
    except asyncio.CancelledError:
        if received:
            sys.exit(128 + received[0])
        raise


def _say(line: str) -> None:
    click.echo(f"  {line}", err=True)


@contextmanager
def _progress(trials: int) -> Iterator[Callable[[int], None]]:
    """A bar on a terminal; elsewhere ten lines."""
    if sys.stderr is not None and sys.stderr.isatty():
        with click.progressbar(length=trials, label="  attacking", file=sys.stderr) as bar:
            yield lambda done: bar.update(done - bar.pos)
        return
    tenth = max(1, trials // 10)
    yield lambda done: _say(f"{done} of {trials} trials") if done % tenth == 0 else None


def _print(outcome: "Outcome") -> None:
    from strongroom.selftest.catalogue import ATTACKS

    click.secho("Simulated: this proves nothing about Nitro hardware.", bold=True)
    width = max(len(attack.name) for attack in ATTACKS)
    click.secho(f"  {'attack'.ljust(width)}  trials  accepted  threat", bold=True)
    for attack in ATTACKS:
        tried, fooled = outcome.tried[attack.name], outcome.fooled[attack.name]
        click.echo(f"  {attack.name.ljust(width)}  {tried:6}  {fooled:8}  {attack.threat}")
    for fault in outcome.shown_faults:
        click.secho(f"  fault: {fault}", fg="red")
    missed = ", ".join(name for name, fooled in outcome.control.items() if not fooled)
    control = "fooled, as it must be" if outcome.control_caught else f"NOT fooled by {missed}: they prove nothing"
    click.echo(
        f"  {outcome.accepted} accepted in {outcome.trials} trials, {outcome.seconds:.0f} s, seed {outcome.seed}"
    )
    click.echo(f"  {outcome.honest} honest exchanges, {outcome.honest_failed} failed; control client {control}")
    click.secho("  passed" if outcome.passed else "  FAILED", bold=True, fg="green" if outcome.passed else "red")
