"""`strongroom policy`: one policy file serves the client and KMS."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from strongroom.cli.files import read_bounded
from strongroom.cli.output import json_option, print_json, print_table
from strongroom.cli.status import instant

if TYPE_CHECKING:
    from attestation.policy import Measurements

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group()
def policy() -> None:
    """Check a policy file (measurement tuples), and compile it into a KMS key policy."""


@policy.command("compile")
@click.argument("file", type=_FILE)
@click.option("--account", required=True, help="The account that owns the key, 12 digits.")
@click.option("--partition", default="aws", show_default=True)
@click.option("--administrator", "administrators", multiple=True, required=True, help="ARN; may manage, never decrypt.")
@click.option("--sealer", "sealers", multiple=True, help="ARN; may make data keys, never decrypt.")
@click.option("--role", required=True, help="ARN of the parent instance's role.")
@json_option
def compile_(
    file: Path,
    account: str,
    partition: str,
    administrators: tuple[str, ...],
    sealers: tuple[str, ...],
    role: str,
    as_json: bool,
) -> None:
    """Print the key policy, JSON in either case, under which only the tuples of FILE can decrypt.

    \b
    Example:  strongroom policy compile policy.toml --account 111122223333 \\
                --administrator arn:aws:iam::111122223333:role/key-admin \\
                --sealer arn:aws:iam::111122223333:role/model-owner \\
                --role arn:aws:iam::111122223333:role/strongroom-parent
    """
    from attestation.compiler import compile_key_policy

    compiled = compile_key_policy(
        account=account,
        partition=partition,
        administrator_arns=administrators,
        runtime_role_arn=role,
        measurements=_load(file),
        sealer_arns=sealers,
    )
    click.echo(json.dumps(compiled, indent=None if as_json else 2))


@policy.command("schema")
@json_option
def schema(as_json: bool) -> None:
    """Print the JSON Schema of policy files, for editors; JSON in either case.

    \b
    Example:  strongroom policy schema > policy.schema.json
              and in the policy file, for editors that read it:  #:schema policy.schema.json
    """
    from attestation.policy_schema import policy_schema

    click.echo(json.dumps(policy_schema(), indent=None if as_json else 2))


@policy.command("check")
@click.argument("file", type=_FILE)
@json_option
def check(file: Path, as_json: bool) -> None:
    """Read FILE as a verifier does and show its tuples. Exit 0 usable, 2 not, with the reason.

    \b
    Example:  strongroom policy check policy.toml
    """
    measurements = _load(file)
    if as_json:
        print_json({"measurements": [_fields(each) for each in measurements]})
    else:
        print_table((each.name or f"measurement {number}", _line(each)) for number, each in enumerate(measurements, 1))


def _load(file: Path) -> "tuple[Measurements, ...]":
    from attestation.policy_file import MAX_POLICY_FILE_BYTES, load_measurements

    return load_measurements(read_bounded(file, MAX_POLICY_FILE_BYTES))


def _fields(measurements: "Measurements") -> dict[str, object]:
    return {
        "name": measurements.name,
        "pcrs": {str(index): value.hex() for index, value in measurements.pcrs.items()},
        "any_parent_role": measurements.any_parent_role,
        "not_before_ms": measurements.not_before_ms,
        "not_after_ms": measurements.not_after_ms,
    }


def _line(measurements: "Measurements") -> str:
    """The image, who may run it, what else is pinned, and when."""
    start, end = measurements.not_before_ms, measurements.not_after_ms
    edges = [("from", start), ("until", end)]
    others = " ".join(f"PCR{index}" for index in measurements.pcrs if index > 3)
    parts = [
        f"PCR0 {_short(measurements.pcrs[0])}",
        "ANY parent role" if measurements.any_parent_role else f"parent role {_short(measurements.pcrs[3])}",
        others or "no other PCR",
        " ".join(f"{word} {instant(at_ms)}" for word, at_ms in edges if at_ms is not None) or "at any time",
    ]
    return ", ".join(parts)


def _short(value: bytes) -> str:
    return f"{value.hex()[:16]}…"
