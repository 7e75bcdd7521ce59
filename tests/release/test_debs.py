"""Which of Debian's packages are in the image, and what the record of a local build says of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from deploy.release.debs import Deb, debs_of, names_in
from deploy.release.errors import ReleaseError
from deploy.release.wheels import Wheel
from tests.release.locks import record, sha256

ROOT = Path(__file__).parents[2]
WHEELS = [Wheel("a", "1", "a.whl", sha256("a.whl"), (), ())]


def test_the_image_has_what_its_dockerfile_unpacks() -> None:
    names = names_in(ROOT / "Dockerfile.enclave")
    assert len(names) == 16
    assert {"libc6", "libssl3t64", "libstdc++6", "python3-minimal", "zlib1g"} <= {*names}


def test_a_dockerfile_that_unpacks_nothing_is_refused(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("RUN apt-get install --yes libc6 && true\n")
    with pytest.raises(ReleaseError, match="after apt-get download, got none"):
        names_in(tmp_path / "Dockerfile")


def test_each_is_as_recorded(tmp_path: Path) -> None:
    path = record(tmp_path, ["zlib1g", "dash", "libc6"], ["a.whl"])
    first, second = debs_of(["libc6", "zlib1g"], WHEELS, path)
    assert first == Deb("libc6", "1:2.0~rc+1", "amd64", "libc6_2.0~rc+1_amd64.deb", sha256("libc6"))
    assert second.name == "zlib1g"


def test_a_file_of_another_package_and_an_endless_record_are_refused(tmp_path: Path) -> None:
    path = record(tmp_path, ["libc6"], ["a.whl"])
    path.write_text(path.read_text().replace("libc6_", "bash_"))
    for each in (path, Path("/dev/zero")):
        with pytest.raises(ReleaseError, match="expected the record of a local build, got something else"):
            debs_of(["libc6"], WHEELS, each)


@pytest.mark.parametrize(
    ("debs", "wheels", "words"),
    [
        (["zlib1g"], ["a.whl"], "libc6: expected it once, got it 0 times"),
        (["libc6", "libc6"], ["a.whl"], "libc6: expected it once, got it 2 times"),
        (["libc6"], [], "expected the very wheels of this image"),
        (["libc6"], ["a.whl", "b.whl"], "expected the very wheels of this image"),
    ],
    ids=["missing", "twice", "no wheels", "another wheel"],
)
def test_a_record_of_another_image_is_refused(debs: list[str], wheels: list[str], words: str, tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match=words):
        debs_of(["libc6"], WHEELS, record(tmp_path, debs, wheels))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("version", 2),
        ("version", "2 3"),
        ("version", None),
        ("sha256", "ab"),
        ("sha256", "ab" * 33),
        ("file", "libc6.deb"),
        ("file", "../libc6_2_amd64.deb"),
    ],
)
def test_what_is_no_package_is_refused(key: str, value: Any, tmp_path: Path) -> None:
    path = record(tmp_path, ["libc6"], ["a.whl"])
    content = json.loads(path.read_bytes())
    content["debian"][0][key] = value
    path.write_text(json.dumps(content))
    with pytest.raises(ReleaseError, match="expected the record of a local build"):
        debs_of(["libc6"], WHEELS, path)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"debian": [7], "wheels": []}', "[" * 100_000])
def test_what_is_no_record_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "record").write_text(text)
    for path in (tmp_path / "record", tmp_path / "none", tmp_path):
        with pytest.raises(ReleaseError, match="expected the record of a local build"):
            debs_of(["libc6"], WHEELS, path)
