"""The options that every command of the client shares, and the client that they make."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import click

from strongroom.cli.failures import CommandFailed
from strongroom.cli.files import read_bounded

F = TypeVar("F", bound=Callable[..., Any])

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_MAX_ANCHOR_BYTES = 16 << 10
_URL = click.option("--url", envvar="STRONGROOM_URL", required=True, help="The gateway's address.")
_TIMEOUT = click.option(
    "--timeout",
    "timeout_s",
    type=click.FloatRange(min=0.1),
    default=120.0,
    show_default=True,
    help="Seconds for each wait: attestation, list of models, head of an answer, each next piece.",
)


def client_options(command: F) -> F:
    """Add where the gateway is and what is demanded of the enclave behind it; pass the client as `client`."""

    @_URL
    @_trust_options
    @_TIMEOUT
    @wraps(command)
    def wrapper(*args: Any, url: str, timeout_s: float, trust: Trust, **kwargs: Any) -> Any:
        from strongroom.client import Client

        with Client(
            url,
            policy=trust.policy,
            anchor=trust.anchor,
            allow_simulated=trust.allow_simulated,
            require_hybrid_kms=trust.require_hybrid_kms,
            key_policy_sha384=trust.key_policies,
            timeout_s=timeout_s,
        ) as client:
            return command(*args, client=client, **kwargs)

    return wrapper  # type: ignore[return-value]  # click's decorators keep no signature


def session_options(command: F) -> F:
    """The same options; pass what they make as `session`, which the command closes in the loop that it used it in."""

    @_URL
    @_trust_options
    @_TIMEOUT
    @wraps(command)
    def wrapper(*args: Any, url: str, timeout_s: float, trust: Trust, **kwargs: Any) -> Any:
        from strongroom.client.kms_terms import KMSTerms
        from strongroom.client.session import AttestedSession

        session = AttestedSession(
            url,
            policy=trust.policy,
            anchor=trust.anchor,
            allow_simulated=trust.allow_simulated,
            kms_terms=KMSTerms(trust.require_hybrid_kms, trust.key_policies),
            timeout_s=timeout_s,
        )
        return command(*args, session=session, **kwargs)

    return wrapper  # type: ignore[return-value]  # click's decorators keep no signature


def terms_options(command: F) -> F:
    """Add what is demanded of whoever made an answer; pass it as `terms`."""

    @_trust_options
    @wraps(command)
    def wrapper(*args: Any, trust: Trust, **kwargs: Any) -> Any:
        from strongroom.client.kms_terms import KMSTerms
        from strongroom.client.terms import Terms

        kms = KMSTerms(trust.require_hybrid_kms, trust.key_policies)
        terms = Terms(trust.policy, trust.anchor, trust.allow_simulated, kms=kms)
        return command(*args, terms=terms, **kwargs)

    return wrapper  # type: ignore[return-value]  # click's decorators keep no signature


@dataclass(frozen=True)
class Trust:
    """What the options say of the enclaves that are good enough."""

    policy: Any
    anchor: Any
    allow_simulated: bool
    require_hybrid_kms: bool
    key_policies: Mapping[str, str]


def _trust_options(command: F) -> F:
    """Add the options; pass what they say as `trust`."""

    @click.option("--policy", envvar="STRONGROOM_POLICY", type=_FILE, help="Policy file: the measurements you trust.")
    @click.option("--any-measurement", is_flag=True, help="UNSAFE: trust any genuine enclave, whatever runs in it.")
    @click.option("--trust-anchor", envvar="STRONGROOM_TRUST_ANCHOR", type=_FILE, help="PEM of a simulator's root.")
    @click.option("--allow-simulated", is_flag=True, help="Accept an anchor that is not AWS's; proves no hardware.")
    @click.option("--require-hybrid-kms", is_flag=True, help="Refuse classical TLS from the enclave to KMS.")
    @click.option(
        "--key-policy",
        "key_policies",
        metavar="ID=HEX",
        multiple=True,
        callback=_pins,
        help="SHA-384 of the key policy that key entry ID must have, as KMS returns its text; repeatable.",
    )
    @wraps(command)
    def wrapper(
        *args: Any,
        policy: Path | None,
        any_measurement: bool,
        trust_anchor: Path | None,
        allow_simulated: bool,
        require_hybrid_kms: bool,
        key_policies: Mapping[str, str],
        **kwargs: Any,
    ) -> Any:
        from attestation.anchors import AWS_NITRO_ROOT_G1

        anchor = load_anchor(trust_anchor) if trust_anchor else AWS_NITRO_ROOT_G1
        judged_by = load_policy_option(policy, any_measurement)
        trust = Trust(judged_by, anchor, allow_simulated, require_hybrid_kms, key_policies)
        return command(*args, trust=trust, **kwargs)

    return wrapper  # type: ignore[return-value]  # click's decorators keep no signature


def _pins(_: click.Context, __: click.Parameter, given: tuple[str, ...]) -> dict[str, str]:
    pins = dict(each.split("=", 1) for each in given if "=" in each)
    if len(pins) != len(given):
        raise click.BadParameter("expected ID=HEX with each id once, for example models=5e02….")
    return pins


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
