"""`strongroom policy compile`: one policy file serves the client and KMS."""

import json
from pathlib import Path

import click

from strongroom.cli.files import read_bounded
from strongroom.cli.output import json_option

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group()
def policy() -> None:
    """Compile a policy file (measurement tuples) into a KMS key policy."""


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
    from attestation.policy_file import MAX_POLICY_FILE_BYTES, load_measurements

    compiled = compile_key_policy(
        account=account,
        partition=partition,
        administrator_arns=administrators,
        runtime_role_arn=role,
        measurements=load_measurements(read_bounded(file, MAX_POLICY_FILE_BYTES)),
        sealer_arns=sealers,
    )
    click.echo(json.dumps(compiled, indent=None if as_json else 2))
