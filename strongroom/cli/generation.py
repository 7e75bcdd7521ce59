"""The options of every command that has text generated."""

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from strongroom.cli.failures import EXIT_USAGE, CommandFailed
from strongroom.cli.files import read_bounded

if TYPE_CHECKING:
    from strongroom.client.tasks import GenerationOptions

F = TypeVar("F", bound=Callable[..., Any])

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_MAX_SCHEMA_BYTES = 64 << 10  # what the longest schema of the protocol can take in UTF-8


def generation_options(command: F) -> F:
    """Add how text is to be generated; pass it as `options`."""

    @click.option("--max-tokens", type=click.IntRange(1), default=256, show_default=True, help="Length of the answer.")
    @click.option("--temperature", type=click.FloatRange(0, 2), default=0.0, show_default=True, help="0 is greedy.")
    @click.option("--top-p", type=click.FloatRange(0, 1, min_open=True), default=1.0, show_default=True)
    @click.option("--top-k", type=click.IntRange(0), default=0, show_default=True, help="0 is off.")
    @click.option("--seed", type=click.IntRange(0), help="Makes sampling repeatable.")
    @click.option("--stop", multiple=True, metavar="TEXT", help="End the answer before this text; repeatable.")
    @click.option(
        "--logprobs", type=click.IntRange(0, 20), help="Tell tokens' log probabilities, and those of so many others."
    )
    @click.option("--schema", type=_FILE, help="File with a JSON schema that the answer is an instance of.")
    @wraps(command)
    def wrapper(
        *args: Any,
        max_tokens: int,
        temperature: float,
        top_p: float,
        top_k: int,
        seed: int | None,
        stop: tuple[str, ...],
        logprobs: int | None,
        schema: Path | None,
        **kwargs: Any,
    ) -> Any:
        options: GenerationOptions = {
            "max_tokens": max_tokens,
            "temperature": temperature,
            "top_p": top_p,
            "top_k": top_k,
            "seed": seed,
            "stop": stop,
            "logprobs": logprobs,
            "schema": None if schema is None else _read_schema(schema),
        }
        return command(*args, options=options, **kwargs)

    return wrapper  # type: ignore[return-value]  # click's decorators keep no signature


def _read_schema(file: Path) -> str:
    """The text of the file, which is JSON; what it asks for the enclave judges. Raises CommandFailed, OSError."""
    import msgspec

    data = read_bounded(file, _MAX_SCHEMA_BYTES)
    try:
        msgspec.json.decode(data)
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise CommandFailed("text", f"{file}: expected text in UTF-8, got other bytes", EXIT_USAGE) from None
    except (msgspec.MsgspecError, RecursionError) as error:
        raise CommandFailed("schema", f"{file}: expected a JSON schema: {error}", EXIT_USAGE) from None
