"""`strongroom seal`: files that only an attested enclave will read, sealed without one."""

import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from strongroom.cli.data_keys import endpoint_options, generate_data_key
from strongroom.cli.files import read_bounded
from strongroom.cli.generation import generation_options
from strongroom.cli.output import json_option
from strongroom.cli.parameters import instant_ms
from strongroom.cli.progress import lines_with_progress
from strongroom.cli.tally import Tally

if TYPE_CHECKING:
    from strongroom.client.tasks import GenerationOptions

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_FOLDER = click.Path(file_okay=False, path_type=Path)
_SPAN = re.compile(r"([1-9][0-9]{0,4})([dhms])")
_UNIT_MS = {"d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1000}


def _not_after_ms(text: str) -> int:
    """A span from now, or an instant. Raises click.BadParameter."""
    if span := _SPAN.fullmatch(text):
        return _now_ms() + int(span[1]) * _UNIT_MS[span[2]]
    try:
        return instant_ms(text)
    except click.BadParameter:
        raise click.BadParameter("expected a span like 90d, 12h, 30m or 45s, or an instant.") from None


@click.command()
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=_FILE)
@click.option("--key-entry", required=True, metavar="ID", help="Key entry of the configuration, of purpose request.")
@click.option("--configuration", type=_FILE, required=True, help="The deployment configuration.")
@click.option("--model", required=True, metavar="ID", help="The model that answers.")
@click.option("--out", type=_FOLDER, required=True, help="Folder for NAME.sealed and NAME.ticket.")
@click.option(
    "--not-after",
    "not_after_ms",
    type=_not_after_ms,
    default="30d",
    show_default=True,
    help="Until when it is answered: 90d, 12h, 30m, 45s, or an instant; 400 days at most.",
)
@click.option("--multiple", is_flag=True, help="Let it be answered again and again; otherwise once per enclave's boot.")
@generation_options
@click.option("--force", is_flag=True, help="Replace what another run left under these names: its answers are lost.")
@endpoint_options
@json_option
def seal(
    files: tuple[Path, ...],
    key_entry: str,
    configuration: Path,
    model: str,
    out: Path,
    not_after_ms: int,
    multiple: bool,
    options: "GenerationOptions",
    force: bool,
    endpoint_url: str | None,
    ca_bundle: Path | None,
    as_json: bool,
) -> int:
    """Seal each FILE, a prompt in plain text or a task in .json, under one KMS data key (kms:GenerateDataKey).

    --max-tokens to --schema are those of plain text; a task says its own.

    NAME.sealed may wait anywhere for months and be submitted by anybody. NAME.ticket opens the answer and is as secret
    as FILE. A run that was interrupted goes on where it stopped; files that are sealed already are kept, with the
    --not-after and --multiple of their own run.

    Exit 0 all sealed, 1 some were not, 2 wrong usage.

    \b
    Examples:
      strongroom seal notes/*.txt --key-entry requests --configuration deployment.toml \\
        --model smollm2-135m --out sealed/ --not-after 90d
      strongroom submit sealed/*.sealed --url https://gateway.example --out answers/
      strongroom open answers/*.answer --tickets sealed/ --policy policy.toml --out plain/
    """
    from strongroom.client.resting.sealing import seal_files
    from strongroom.protocol.configuration import DeploymentConfiguration
    from strongroom.protocol.constants import MAX_CONFIGURATION_BYTES

    tally = Tally(as_json)
    with lines_with_progress(len(set(files)), "sealed") as write:
        seal_files(
            files,
            out,
            configuration=DeploymentConfiguration.from_bytes(read_bounded(configuration, MAX_CONFIGURATION_BYTES)),
            key_entry=key_entry,
            kms=_CallersKMS(endpoint_url, ca_bundle),
            model=model,
            not_after_ms=not_after_ms,
            single_use=not multiple,
            force=force,
            progress=lambda done: write(tally.line(done)),
            **options,
        )
    return tally.end()


@dataclass(frozen=True)
class _CallersKMS:
    """The KMS of the caller's credentials, which are looked for when a data key is asked of it."""

    endpoint_url: str | None
    ca_bundle: Path | None

    def generate_data_key(self, **arguments: Any) -> dict[str, object]:
        arn, context = arguments["KeyId"], arguments["EncryptionContext"]
        plain, wrapped = generate_data_key(arn, context, self.endpoint_url, self.ca_bundle)
        return {"KeyId": arn, "Plaintext": plain, "CiphertextBlob": wrapped}


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
