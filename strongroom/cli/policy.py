"""`strongroom policy`: one policy file serves the client and KMS."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from strongroom.cli.files import read_bounded
from strongroom.cli.output import json_option, print_json, print_table
from strongroom.cli.policy_lint import lint
from strongroom.cli.status import instant

if TYPE_CHECKING:
    from attestation.policy import Measurements

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group()
def policy() -> None:
    """Check a policy file (measurement tuples), compile it into a KMS key policy, and lint key policies."""


policy.add_command(lint)


@policy.command("compile")
@click.argument("file", metavar="POLICY.toml", type=_FILE)
@click.option("--kms", is_flag=True, help="Into a KMS key policy, the only output there is so far; required.")
@click.option("--key-arn", metavar="ARN", help="The KMS key; its account and partition are the policy's. Required.")
@click.option("--role", metavar="ARN", help="Role of the parent instance, which may decrypt for the tuples. Required.")
@click.option(
    "--administrator",
    "administrators",
    metavar="ARN",
    multiple=True,
    help="May manage, never decrypt.  [default: the account's root, which leaves it to IAM]",
)
@click.option("--sealer", "sealers", metavar="ARN", multiple=True, help="May make data keys, never decrypt.")
@click.option(
    "--purpose",
    "purposes",
    type=click.Choice(["model", "request"]),
    multiple=True,
    help="What the key is for; EncryptionContext's purpose.  [default: both]",
)
@json_option
def compile_(
    file: Path,
    kms: bool,
    key_arn: str | None,
    role: str | None,
    administrators: tuple[str, ...],
    sealers: tuple[str, ...],
    purposes: tuple[str, ...],
    as_json: bool,
) -> None:
    """Print the key policy, JSON in either case, under which only the tuples of POLICY.toml can decrypt.

    \b
    Example:  strongroom policy compile policy.toml --kms --purpose model \\
                --key-arn arn:aws:kms:eu-west-1:111122223333:key/… \\
                --role arn:aws:iam::111122223333:role/strongroom-parent \\
                --administrator arn:aws:iam::111122223333:role/key-admin \\
                --sealer arn:aws:iam::111122223333:role/model-owner
    """
    from attestation.compiler import PURPOSES, compile_key_policy

    if not kms or key_arn is None or role is None:
        raise click.UsageError("Expected --kms --key-arn ARN --role ARN: a policy file compiles to a KMS key policy.")
    compiled = compile_key_policy(
        key_arn=key_arn,
        runtime_role_arn=role,
        measurements=_load(file),
        administrator_arns=administrators,
        sealer_arns=sealers,
        purposes=purposes or PURPOSES,
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
