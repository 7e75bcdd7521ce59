"""What the commands that ask a model share."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from strongroom.cli.files import write_private

if TYPE_CHECKING:
    from strongroom.client.proofs import Proven

model_option = click.option("--model", help="Model id; needed when several serve the task.")
proof_option = click.option(
    "--proof", type=click.Path(dir_okay=False, path_type=Path), help="Keep the proof bundle, contents shown, in a file."
)


def keep_proof(answer: "Proven", file: Path | None) -> None:
    """Write the proof bundle of the answer, if there is a file for it."""
    if file is not None:
        write_private(file, answer.proof())
