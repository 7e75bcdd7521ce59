"""kms:GenerateDataKey and kms:Decrypt with the caller's own AWS credentials, as boto3 finds them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from strongroom.cli.failures import CommandFailed

F = TypeVar("F", bound=Callable[..., Any])

_KMS_WAIT_S = 10


def endpoint_options(command: F) -> F:
    """Add the options for a KMS that is not AWS's; pass them as `endpoint_url` and `ca_bundle`."""
    roots = click.Path(exists=True, dir_okay=False, path_type=Path)
    command = click.option("--ca-bundle", type=roots, help="PEM roots for that endpoint.")(command)
    return click.option("--endpoint-url", help="Another KMS than AWS's, for example a dev KMS.")(command)


def generate_data_key(
    arn: str, context: dict[str, str], endpoint_url: str | None, ca_bundle: Path | None
) -> tuple[bytes, bytes]:
    """A data key in plain and wrapped, under that key and context, of the KMS in the key's region.

    Raises CommandFailed.
    """
    answer = _ask(
        "GenerateDataKey", arn, endpoint_url, ca_bundle, KeyId=arn, KeySpec="AES_256", EncryptionContext=context
    )
    if answer.get("KeyId") != arn or not {"Plaintext", "CiphertextBlob"} <= answer.keys():
        raise CommandFailed("kms", "GenerateDataKey: expected a data key under the key asked for, got another answer")
    return answer["Plaintext"], answer["CiphertextBlob"]


def decrypt_data_key(
    arn: str, context: dict[str, str], wrapped: bytes, endpoint_url: str | None, ca_bundle: Path | None
) -> bytes:
    """The data key that KMS wrapped under that key and context. Raises CommandFailed.

    A key whose compiled policy is in place refuses everybody but an attested enclave, and so it should.
    """
    answer = _ask("Decrypt", arn, endpoint_url, ca_bundle, KeyId=arn, CiphertextBlob=wrapped, EncryptionContext=context)
    if answer.get("KeyId") != arn or "Plaintext" not in answer:
        raise CommandFailed("kms", "Decrypt: expected a data key under the key asked for, got another answer")
    plaintext: bytes = answer["Plaintext"]
    return plaintext


def _ask(action: str, arn: str, endpoint_url: str | None, ca_bundle: Path | None, **request: Any) -> dict[str, Any]:
    import boto3
    from botocore import xform_name
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        client = boto3.client(
            "kms",
            region_name=arn.split(":")[3],
            endpoint_url=endpoint_url,
            verify=str(ca_bundle) if ca_bundle else None,
            config=Config(connect_timeout=_KMS_WAIT_S, read_timeout=_KMS_WAIT_S, retries={"total_max_attempts": 2}),
        )
        answer: dict[str, Any] = getattr(client, xform_name(action))(**request)
    except (BotoCoreError, ClientError, ValueError) as error:  # ValueError: an endpoint that is no address
        raise CommandFailed("kms", f"{action}: {error}") from None
    return answer
