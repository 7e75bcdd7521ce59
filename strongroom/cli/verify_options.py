"""The options of `strongroom verify`, and what they say once they are read: each alone, not yet together.

Commands that judge receipts and logs take those of them that an archived document of an enclave leaves to ask.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import click

from strongroom.cli.parameters import hex_bytes, instant_ms, pinned_pcr

F = TypeVar("F", bound=Callable[..., Any])

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
DEFAULT_MAX_AGE_S = 300


@dataclass(frozen=True, kw_only=True)
class VerifyOptions:
    """What the caller demands of a document, as typed; absent options are None, False or empty."""

    live: bool
    nonce: bytes | None
    recent: bool
    archived: bool
    at_ms: int | None
    max_age_s: int | None
    policy: Path | None
    pcrs: tuple[tuple[int, bytes], ...]
    role: str | None
    any_measurement: bool
    kind: str
    expect_public_key: bytes | None
    expect_user_data: bytes | None
    trust_anchor: Path | None
    allow_simulated: bool
    allow_debug: bool
    second_opinion: bool


_FRESHNESS = (
    click.option("--live", is_flag=True, help="It must answer --nonce, now."),
    click.option("--nonce", type=hex_bytes, metavar="HEX", help="With --live: the nonce that you asked with."),
    click.option("--recent", is_flag=True, help="It must be at most --max-age old; it can be replayed until then."),
    click.option("--archived", is_flag=True, help="It was genuine at its own signed timestamp."),
    click.option(
        "--at",
        "at_ms",
        type=instant_ms,
        metavar="TIME",
        help="It was genuine at TIME: 2026-01-31T12:00:00Z, or milliseconds since the epoch.",
    ),
    click.option(
        "--max-age",
        "max_age_s",
        type=click.IntRange(1),
        metavar="SECONDS",
        help=f"With --live or --recent.  [default: {DEFAULT_MAX_AGE_S}]",
    ),
)
_MEASUREMENTS = (
    click.option("--policy", type=_FILE, help="Policy file: the tuples of measurements that you trust."),
    click.option(
        "--pcr", "pcrs", type=pinned_pcr, multiple=True, metavar="N=HEX", help="PCR N holds HEX; repeat for others."
    ),
    click.option("--role", metavar="ARN", help="PCR3 is that of a parent instance with this IAM role."),
    click.option("--any-measurement", is_flag=True, help="UNSAFE: whatever code runs in it. To look, not to trust."),
)
_BINDING = (
    click.option("--kind", type=click.Choice(["enclave", "nitrotpm"]), default="enclave", show_default=True),
    click.option("--expect-public-key", type=hex_bytes, metavar="HEX", help="It binds exactly this public key."),
    click.option("--expect-user-data", type=hex_bytes, metavar="HEX", help="It binds exactly this user data."),
)
_TRUST = (
    click.option("--trust-anchor", type=_FILE, metavar="PEM", help="Another root than AWS's: a simulator's."),
    click.option("--allow-simulated", is_flag=True, help="Accept that root; proves nothing about hardware."),
    click.option("--allow-debug", is_flag=True, help="Accept an enclave in debug mode, whose host reads everything."),
    click.option("--second-opinion", is_flag=True, help="Verify again with an independent stack (strongroom[audit])."),
)


def verify_options(command: F) -> F:
    """Add the options to a command, and pass them as one `options`."""
    return _decorated(command, (*_FRESHNESS, *_MEASUREMENTS, *_BINDING, *_TRUST), {})


def archived_options(command: F) -> F:
    """Add the options for an enclave's archived document, judged at its own timestamp, and pass them as `options`."""
    fixed = {"archived": True, "kind": "enclave"}
    absent = ("nonce", "at_ms", "max_age_s", "expect_public_key", "expect_user_data")
    return _decorated(
        command, (*_MEASUREMENTS, *_TRUST), {"live": False, "recent": False, **dict.fromkeys(absent), **fixed}
    )


def _decorated(command: F, options: tuple[Callable[[Any], Any], ...], fixed: Mapping[str, Any]) -> F:
    @wraps(command)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        given = {field.name: kwargs.pop(field.name) for field in fields(VerifyOptions) if field.name not in fixed}
        return command(*args, options=VerifyOptions(**given, **fixed), **kwargs)

    decorated: Any = wrapper
    for option in reversed(options):
        decorated = option(decorated)
    return decorated  # type: ignore[no-any-return]  # click's decorators keep no signature
