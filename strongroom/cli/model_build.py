"""`strongroom model build`: published weights to a package, and how near to them the package is."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from strongroom.cli.failures import EXIT_FAILED
from strongroom.cli.output import json_option, print_json, print_table
from strongroom.cli.readable import escaped

if TYPE_CHECKING:
    from strongroom.models.quality import Comparison, Quality

MODELS_FOLDER = Path(".models")
_BLOCKS = click.Choice(["16", "32", "64"])


@click.command("build")
@click.argument("name")
@click.option("--out", type=click.Path(path_type=Path), help="Package folder  [default: .models/NAME]")
@click.option(
    "--check", is_flag=True, help="Hold its int8 weights against float32; a package that is there must be this one."
)
@click.option("--block", "blocks", type=_BLOCKS, multiple=True, help="With --check: int8 in such blocks too; repeat.")
@json_option
def build(name: str, out: Path | None, check: bool, blocks: tuple[str, ...], as_json: bool) -> int:
    """Fetch NAME's published weights by hash and convert them; the result is the same, byte for byte, every time.

    --check reads a fixed text with the package and with a float32 graph of the same converter: perplexity of both,
    how often they agree on the next token, and the KL divergence. Exit 1 when the perplexities differ by more than 2 %.

    \b
    Examples:
      strongroom model build smollm2-135m
      strongroom model build smollm2-135m --check --json
    """
    from strongroom.models.build import build as build_package

    if blocks and not check:
        raise click.UsageError("expected --check beside --block, got --block alone.")
    package, cache_dir = out or MODELS_FOLDER / name, MODELS_FOLDER / "wheels"
    if not (check and package.exists()):
        build_package(name, package, cache_dir=cache_dir, progress=_tell)
    if not check:
        _print(package, None, as_json)
        return 0
    from strongroom.models.quality import compare_build

    compared = compare_build(name, package, cache_dir=cache_dir, progress=_tell, blocks=[int(each) for each in blocks])
    _print(package, compared, as_json)
    return 0 if compared.shipped.met else EXIT_FAILED


def _tell(step: str) -> None:
    click.echo(f"  {step}", err=True)


def _print(package: Path, compared: "Comparison | None", as_json: bool) -> None:
    from strongroom.models.package import load_package
    from strongroom.protocol.catalogue import manifest_digest

    data, manifest, _ = load_package(package)
    digest = manifest_digest(data)
    if as_json:
        built = {"id": manifest.id, "version": manifest.version, "folder": str(package), "manifest_sha384": digest}
        print_json(built if compared is None else {**built, "quality": _to_json(compared)})
        return
    size_mib = sum(file.size_bytes for file in manifest.files) / (1 << 20)
    rows = [("model", f"{manifest.id} {manifest.version} ({manifest.task}, {manifest.licence})")]
    rows += [("folder", f"{package}, {size_mib:.0f} MiB"), ("manifest SHA-384", digest)]
    rows += [] if compared is None else _rows(compared)
    print_table((name, escaped(text)) for name, text in rows)


def _to_json(compared: "Comparison") -> dict[str, Any]:
    from dataclasses import asdict

    return {**asdict(compared), "met": compared.shipped.met}


def _rows(compared: "Comparison") -> list[tuple[str, str]]:
    read = ("text", f"{compared.rows} passages of {compared.tokens} tokens")
    qualities = [compared.reference, compared.shipped, *compared.others]
    verdict = "within 2 % of float32" if compared.shipped.met else "FURTHER than 2 % from float32"
    return [read, *((each.precision, _figures(each)) for each in qualities), ("perplexity", verdict)]


def _figures(quality: "Quality") -> str:
    size_mib = quality.graph_bytes / (1 << 20)
    return (
        f"{size_mib:.0f} MiB, perplexity {quality.perplexity:.3f} ({quality.ratio:.4f} of float32's), "
        f"top-1 {quality.top1_agreement:.1%}, KL {quality.kl_divergence:.4f}, {quality.step_cpu_ms:.0f} ms CPU a step"
    )
