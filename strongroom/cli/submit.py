"""`strongroom submit`: sealed files in, sealed answers out, by anybody."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from strongroom.cli.ending import interrupted_gently
from strongroom.cli.failures import EXIT_INTERRUPTED
from strongroom.cli.output import json_option
from strongroom.cli.progress import lines_with_progress
from strongroom.cli.tally import Tally

if TYPE_CHECKING:
    from strongroom.client.resting.outcomes import Progress

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.argument("files", metavar="SEALED...", nargs=-1, required=True, type=_FILE)
@click.option("--url", envvar="STRONGROOM_URL", required=True, help="The gateway's address.")
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), help="Folder for NAME.answer  [default: beside]"
)
@click.option("--parallel", type=click.IntRange(1, 64), default=4, show_default=True, help="Requests at a time.")
@click.option(
    "--timeout", "timeout_s", type=click.FloatRange(min=0.1), default=120.0, show_default=True, help="Seconds for each."
)
@click.option("--force", is_flag=True, help="Replace answers to other requests under these names.")
@json_option
def submit(
    files: tuple[Path, ...], url: str, out: Path | None, parallel: int, timeout_s: float, force: bool, as_json: bool
) -> int:
    """Hand each SEALED file to the gateway and keep the sealed answer, with the evidence of whoever gave it.

    Needs no key and no policy: nothing is judged here but form. A busy gateway is asked again; answers that are there
    already are kept. An answer that came without its evidence waits as NAME.response: the next run asks for that alone.
    One file's failure does not stop the others. The first Ctrl-C waits for those under way: where a file is good for
    one answer, that is lost with whoever waits for it.

    Exit 0 all answered, 1 some were not, 2 wrong usage, 130 interrupted.

    \b
    Example:  strongroom submit sealed/*.sealed --url https://gateway.example --out answers/
    """
    tally = Tally(as_json)
    with lines_with_progress(len(set(files)), "submitted") as write:
        asyncio.run(_submit(files, url, out, parallel, timeout_s, force, lambda done: write(tally.line(done))))
    code = tally.end()
    return code if tally.counts.total() == len(set(files)) else EXIT_INTERRUPTED


async def _submit(
    files: Sequence[Path],
    url: str,
    out: Path | None,
    parallel: int,
    timeout_s: float,
    force: bool,
    progress: "Progress",
) -> None:
    from strongroom.client.resting.submitting import submit_files
    from strongroom.client.submitter import Submitter

    stopping = asyncio.Event()
    async with Submitter(url, timeout_s=timeout_s) as submitter:
        with interrupted_gently(stopping.set):
            await submit_files(
                files, submitter, out=out, parallel=parallel, force=force, progress=progress, stopping=stopping
            )
