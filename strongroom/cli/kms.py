"""`strongroom kms`: is this KMS key as guarded as its policy says?"""

import time
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from strongroom.cli.failures import EXIT_FAILED, EXIT_USAGE, CommandFailed
from strongroom.cli.files import read_bounded
from strongroom.cli.output import json_option, print_json, print_table
from strongroom.cli.readable import escaped

if TYPE_CHECKING:
    from strongroom.doctor.documents import GivenDocument
    from strongroom.doctor.examination import Outcome

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_MAX_CIPHERTEXT_BYTES = 6144
_MAX_DOCUMENT_BYTES = 16_384
_KMS_WAIT_S = 10
_DEFAULT_CONTEXT = {"purpose": "model"}


def _pair(text: str) -> tuple[str, str]:
    """`NAME=VALUE`, neither of them empty. Raises click.BadParameter."""
    name, _, value = text.partition("=")
    if not name or not value:
        raise click.BadParameter("expected NAME=VALUE, for example purpose=model.")
    return name, value


@click.group()
def kms() -> None:
    """Examine the KMS that guards the keys."""


@kms.command("doctor")
@click.option("--key-arn", metavar="ARN", required=True, help="The key.")
@click.option("--region", help="Region of the KMS to ask.  [default: the key's]")
@click.option("--endpoint-url", help="Another KMS than AWS's, for example a dev KMS.")
@click.option("--ca-bundle", type=_FILE, help="PEM roots for that endpoint.")
@click.option(
    "--context", type=_pair, metavar="K=V", multiple=True, help="Encryption context; repeat.  [default: purpose=model]"
)
@click.option("--ciphertext", type=_FILE, help="Sealed under key and context.  [default: one is sealed for the probes]")
@click.option("--document", type=_FILE, help="An attestation document that an enclave made for KMS.")
@click.option(
    "--state",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="State folder of a dev KMS, under whose root documents can be made.",
)
@json_option
def doctor(
    key_arn: str,
    region: str | None,
    endpoint_url: str | None,
    ca_bundle: Path | None,
    context: tuple[tuple[str, str], ...],
    ciphertext: Path | None,
    document: Path | None,
    state: Path | None,
    as_json: bool,
) -> int:
    """Ask KMS, with your own AWS credentials, for what it must refuse, and say what it refused.

    A probe that is answered is an alarm. What KMS discloses is neither shown nor kept. KMS accepts a document as long
    as its certificate lasts, so an old one that is accepted is reported, not alarmed. A refusal has weight only where
    the control, a document as it should be, is answered to the same credentials: the runtime role's, with
    --ciphertext, since that role cannot seal. Exit 0: no alarm; 1: an alarm, or nothing could be asked; 2: wrong usage.

    \b
    Example:  strongroom kms doctor --key-arn arn:aws:kms:eu-west-1:111122223333:key/… \\
                --ciphertext sealed.bin --context purpose=model --context tenant=acme
              strongroom kms doctor --key-arn $ARN --endpoint-url http://127.0.0.1:4566 --state ./simulated
    """
    from strongroom.cli.kms_documents import document_makers
    from strongroom.doctor.examination import admitted_pcrs, examine, sealed_canary
    from strongroom.doctor.probes import SAMPLE_PCRS, Means, probes

    if len(dict(context)) != len(context):
        raise CommandFailed("usage", "--context: expected each name once, got one twice", EXIT_USAGE)
    pairs = dict(context) or _DEFAULT_CONTEXT
    given = None if document is None else _given(document)
    sealed = None if ciphertext is None else _ciphertext(ciphertext)
    trusted, stranger = document_makers(state)
    with closing(_client(key_arn, region, endpoint_url, ca_bundle)) as client:
        means = Means(
            key_arn=key_arn,
            ciphertext=sealed or sealed_canary(client, key_arn, pairs),
            context=pairs,
            pcrs=admitted_pcrs(client, key_arn) or (given.parsed.pcrs if given else SAMPLE_PCRS),
            at_ms=time.time_ns() // 1_000_000,
            given=given,
            trusted=trusted,
            stranger=stranger,
        )
        outcomes = examine(client, probes(means))
    (_print_json if as_json else _print_text)(key_arn, outcomes)
    return EXIT_FAILED if any(each.alarm for each in outcomes) or not _asked(outcomes) else 0


def _client(key_arn: str, region: str | None, endpoint_url: str | None, ca_bundle: Path | None) -> Any:
    import boto3
    import msgspec
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError

    from strongroom.protocol.names import KeyARN

    try:
        arn: str = msgspec.convert(key_arn, KeyARN)
        return boto3.Session().client(
            "kms",
            region_name=region or arn.split(":")[3],
            endpoint_url=endpoint_url,
            verify=str(ca_bundle) if ca_bundle else None,
            config=Config(connect_timeout=_KMS_WAIT_S, read_timeout=_KMS_WAIT_S, retries={"total_max_attempts": 2}),
        )
    except msgspec.ValidationError:
        raise CommandFailed(
            "usage", "--key-arn: expected arn:aws:kms:<region>:<account>:key/<id>", EXIT_USAGE
        ) from None
    except (BotoCoreError, ValueError) as error:  # ValueError: an endpoint that is no address
        raise CommandFailed("usage", f"--region, --endpoint-url: {error}", EXIT_USAGE) from None


def _given(file: Path) -> "GivenDocument":
    from strongroom.doctor.documents import GivenDocument

    return GivenDocument.from_bytes(read_bounded(file, _MAX_DOCUMENT_BYTES))


def _ciphertext(file: Path) -> bytes:
    data = read_bounded(file, _MAX_CIPHERTEXT_BYTES)
    if not data:
        raise CommandFailed("file", f"{file}: expected a ciphertext of KMS, got an empty file", EXIT_USAGE)
    return data


def _asked(outcomes: "Iterable[Outcome]") -> bool:
    return any(each.answer in ("refused", "answered") for each in outcomes)


def _controlled(outcomes: "Iterable[Outcome]") -> bool:
    """Whether these credentials can have an answer at all, so that a refusal is about what is wrong in a probe."""
    return any(each.name == "control" and each.answer == "answered" and not each.alarm for each in outcomes)


def _print_json(key_arn: str, outcomes: "Sequence[Outcome]") -> None:
    print_json(
        {
            "key": key_arn,
            "alarms": [each.name for each in outcomes if each.alarm],
            "control": _controlled(outcomes),
            "probes": [asdict(each) for each in outcomes],
        }
    )


def _print_text(key_arn: str, outcomes: "Sequence[Outcome]") -> None:
    click.echo(f"probes of {key_arn}")
    print_table((each.name, _line(each)) for each in outcomes)
    if alarms := [each.name for each in outcomes if each.alarm]:
        click.secho(f"ALARM: KMS answered {', '.join(alarms)}", bold=True, fg="red")
    elif not _asked(outcomes):
        click.echo("nothing was shown: no probe was judged; see the reasons")
    elif unjudged := [each.name for each in outcomes if each.answer == "not judged"]:
        click.echo(f"no alarm, but nothing was shown by {', '.join(unjudged)}: see the reasons")
    elif not _controlled(outcomes):
        click.echo(
            "every probe that could be made was refused; that may be for another reason: the control was not answered"
        )
    else:
        click.echo("every probe that could be made was refused, and the control was answered")


def _line(outcome: "Outcome") -> str:
    word = click.style("ALARM, answered", fg="red", bold=True) if outcome.alarm else outcome.answer
    return f"{word} ({escaped(outcome.detail)}): {outcome.about}"
