"""The options that every command of the client shares, and the client that they make."""

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import click

from strongroom.cli.failures import CommandFailed
from strongroom.cli.files import read_bounded

F = TypeVar("F", bound=Callable[..., Any])

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_MAX_ANCHOR_BYTES = 16 << 10


def client_options(command: F) -> F:
    """Add --url, --policy, --trust-anchor, --allow-simulated and --timeout; pass the client as `client`."""

    @click.option("--url", envvar="STRONGROOM_URL", required=True, help="The gateway's address.")
    @click.option("--policy", envvar="STRONGROOM_POLICY", type=_FILE, help="Policy file: the measurements you trust.")
    @click.option("--any-measurement", is_flag=True, help="UNSAFE: trust any genuine enclave, whatever runs in it.")
    @click.option("--trust-anchor", envvar="STRONGROOM_TRUST_ANCHOR", type=_FILE, help="PEM of a simulator's root.")
    @click.option("--allow-simulated", is_flag=True, help="Accept an anchor that is not AWS's; proves no hardware.")
    @click.option(
        "--timeout",
        "timeout_s",
        type=click.FloatRange(min=0.1),
        default=120.0,
        show_default=True,
        help="Seconds for each wait: attestation, list of models, head of an answer, each next piece.",
    )
    @wraps(command)
    def wrapper(
        *args: Any,
        url: str,
        policy: Path | None,
        any_measurement: bool,
        trust_anchor: Path | None,
        allow_simulated: bool,
        timeout_s: float,
        **kwargs: Any,
    ) -> Any:
        from attestation.anchors import AWS_NITRO_ROOT_G1
        from strongroom.client import Client

        with Client(
            url,
            policy=load_policy_option(policy, any_measurement),
            anchor=load_anchor(trust_anchor) if trust_anchor else AWS_NITRO_ROOT_G1,
            allow_simulated=allow_simulated,
            timeout_s=timeout_s,
        ) as client:
            return command(*args, client=client, **kwargs)

    return wrapper  # type: ignore[return-value]  # click's decorators keep no signature


def load_policy_option(policy: Path | None, any_measurement: bool) -> Any:
    """The policy of --policy or of --any-measurement; exactly one of them is needed."""
    from attestation.policy import UnsafeAnyMeasurement
    from attestation.policy_file import MAX_POLICY_FILE_BYTES, load_policy

    if (policy is None) != any_measurement:
        raise CommandFailed("policy-required", "expected either --policy FILE or --any-measurement", 2)
    if policy is None:
        return UnsafeAnyMeasurement()
    return load_policy(read_bounded(policy, MAX_POLICY_FILE_BYTES))


def load_anchor(path: Path) -> Any:
    """The trust anchor in a PEM file; any but AWS's own is a simulated one, by its fingerprint."""
    from attestation.anchors import SimulatedTrustAnchor

    return SimulatedTrustAnchor.from_pem(read_bounded(path, _MAX_ANCHOR_BYTES))
