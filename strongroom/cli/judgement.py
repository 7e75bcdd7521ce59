"""From the options of `strongroom verify` to the one question that every document of a run is asked.

Options that clash, or that would say nothing, are wrong usage: whoever types them expects more than would be judged.
"""

import time
from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING

import click

from strongroom.cli.connection import load_anchor
from strongroom.cli.failures import EXIT_USAGE, CommandFailed
from strongroom.cli.files import read_bounded
from strongroom.cli.verify_options import DEFAULT_MAX_AGE_S, VerifyOptions

if TYPE_CHECKING:
    from attestation.modes import Mode
    from attestation.policy import Policy
    from attestation.report import Demands, Report

Judge = Callable[[bytes], "Report"]


def judge_of(options: VerifyOptions, otherwise: "Policy | None" = None) -> Judge:
    """What judges each document, at the instant of its judgement; verified chains are remembered between them.

    `otherwise` is the policy where the options name no measurements, such as a proof bundle's. Raises click.UsageError,
    CommandFailed, PolicyError, OSError, and ModuleNotFoundError (of --second-opinion).
    """
    from attestation.report import judge

    _check_mode(options)
    _check_pins(options, pinned_otherwise=otherwise is not None)
    policy = otherwise if otherwise is not None and not names_measurements(options) else _policy(options)
    demands = _demands(options, policy)
    if options.second_opinion:
        import_module("pycose")  # asked now: in the middle of a folder is too late to miss it

    def judge_one(data: bytes) -> "Report":
        demands["mode"] = _mode(options)
        return judge(data, second_opinion=options.second_opinion, **demands)

    return judge_one


def names_measurements(options: VerifyOptions) -> bool:
    """Whether the caller says which measurements to accept, or that any will do."""
    return bool(options.policy or options.pcrs or options.role is not None or options.any_measurement)


def _demands(options: VerifyOptions, policy: "Policy") -> "Demands":
    from attestation.anchors import AWS_NITRO_ROOT_G1
    from attestation.chain import ChainCache

    return {
        "policy": policy,
        "mode": _mode(options),
        "anchor": load_anchor(options.trust_anchor) if options.trust_anchor else AWS_NITRO_ROOT_G1,
        "allow_simulated": options.allow_simulated,
        "allow_debug": options.allow_debug,
        "kind": options.kind,
        "expect_public_key": options.expect_public_key,
        "expect_user_data": options.expect_user_data,
        "cache": ChainCache(),
    }


def _check_mode(options: VerifyOptions) -> None:
    given = {
        "--live": options.live,
        "--recent": options.recent,
        "--archived": options.archived,
        "--at": options.at_ms is not None,
    }
    chosen = [name for name, is_given in given.items() if is_given]
    if len(chosen) != 1:
        got = " and ".join(chosen) or "none"
        raise click.UsageError(f"expected one of --live --nonce HEX, --recent, --archived and --at TIME, got {got}.")
    if options.live != (options.nonce is not None):
        raise click.UsageError("expected --live and --nonce HEX together, got one without the other.")
    if options.max_age_s is not None and not (options.live or options.recent):
        raise click.UsageError(
            f"expected --max-age with --live or --recent, got it with {chosen[0]}, which has no age."
        )


def _check_pins(options: VerifyOptions, pinned_otherwise: bool) -> None:
    indices = [index for index, _ in options.pcrs]
    if twice := {index for index in indices if indices.count(index) > 1}:
        raise click.UsageError(f"expected each PCR once, got --pcr {min(twice)}=… again.")
    if options.role is not None and 3 in indices:
        raise click.UsageError("expected --role or --pcr 3=…, got both: a role is pinned as PCR3.")
    if options.role is not None and options.kind != "enclave":
        raise click.UsageError(f"expected --role with --kind enclave, got {options.kind}, whose PCR3 measures no role.")
    pinned = bool(options.policy or options.pcrs or options.role is not None)
    if pinned and options.any_measurement:
        raise click.UsageError("expected --any-measurement alone, got it beside measurements to check.")
    if not (pinned or options.any_measurement or pinned_otherwise):
        what = "--policy FILE, --pcr N=HEX or --any-measurement"
        raise CommandFailed("policy-required", f"expected the measurements that you trust: {what}", EXIT_USAGE)


def _mode(options: VerifyOptions) -> "Mode":
    from attestation.modes import Archived, Live, Recent

    now_ms, max_age_s = time.time_ns() // 1_000_000, options.max_age_s or DEFAULT_MAX_AGE_S
    if options.nonce is not None:
        return Live(options.nonce, now_ms, max_age_s)
    return Recent(now_ms, max_age_s) if options.recent else Archived(options.at_ms)


def _policy(options: VerifyOptions) -> "Policy":
    """Everything that was asked for must hold."""
    from attestation.policy import AllOf, AnyOf, PinnedPCRs, UnsafeAnyMeasurement
    from attestation.policy_file import MAX_POLICY_FILE_BYTES, load_measurements

    if options.any_measurement:
        return UnsafeAnyMeasurement()
    pins = _pins(options)
    if options.policy is None:
        return PinnedPCRs(pins, options.kind)
    tuples = load_measurements(read_bounded(options.policy, MAX_POLICY_FILE_BYTES))
    if not pins:
        return AnyOf(tuples)
    # Beside a tuple, pins need not say what runs; alone they must, so that each tuple lends them its PCR0.
    return AnyOf([AllOf([each, PinnedPCRs({0: each.pcrs[0], **pins}, options.kind)]) for each in tuples])


def _pins(options: VerifyOptions) -> dict[int, bytes]:
    from attestation.measurements import PARENT_ROLE_PCR, parent_role_pcr3

    role = {} if options.role is None else {PARENT_ROLE_PCR: parent_role_pcr3(options.role)}
    return {**dict(options.pcrs), **role}
