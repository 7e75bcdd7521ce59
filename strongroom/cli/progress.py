"""A progress bar on standard error beside the lines on standard output, which may be the same terminal."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click


@contextmanager
def lines_with_progress(total: int, done: str = "judged") -> Iterator[Callable[[str], None]]:
    """What prints each of `total` lines and moves a bar, one that is gone at the end; `done` is what a line stands for.

    Without a terminal on standard error, and for one line alone, there are only the lines.
    """
    if total < 2 or sys.stderr is None or not sys.stderr.isatty():
        yield click.echo
        return
    from rich.console import Console
    from rich.control import Control
    from rich.progress import Progress
    from rich.segment import ControlType

    erase = Control(ControlType.CARRIAGE_RETURN, (ControlType.ERASE_IN_LINE, 2))
    console = Console(stderr=True)
    # By itself the bar would move what is printed to standard error, and wrap it there.
    with Progress(console=console, transient=True, auto_refresh=False, redirect_stdout=False) as bar:
        task = bar.add_task(done, total=total)

        def write(line: str) -> None:
            console.control(erase)
            click.echo(line)
            bar.update(task, advance=1, refresh=True)

        yield write
