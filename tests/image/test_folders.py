"""The folder of a build: one build at a time, a name that apt and buildah take, and little left of a failed one."""

from pathlib import Path

import pytest

from strongroom.image.errors import InputRefused
from strongroom.image.folders import Folders, leave_log


def test_two_builds_do_not_share_a_folder(tmp_path: Path) -> None:
    folders = Folders(tmp_path, tmp_path / "out")
    with (
        folders.held(),
        pytest.raises(InputRefused, match="expected a folder that no other build writes to, got one in use"),
        folders.held(),
    ):
        pass
    with folders.held():
        pass


@pytest.mark.parametrize("name", ["with space", "co:lon", "com,ma", 'quo"te', "per%20cent"])
def test_a_name_that_apt_or_buildah_would_misread_is_refused(name: str, tmp_path: Path) -> None:
    with (
        pytest.raises(InputRefused, match="expected a path of letters, digits"),
        Folders(tmp_path, tmp_path / name).held(),
    ):
        pass
    assert list(tmp_path.iterdir()) == []


def test_letters_of_any_language_are_taken(tmp_path: Path) -> None:
    with Folders(tmp_path, tmp_path / "münchen").held():
        pass


def test_of_a_failed_build_the_log_is_left(tmp_path: Path) -> None:
    (tmp_path / "storage" / "layer").mkdir(parents=True)
    (tmp_path / "link").symlink_to("/")
    for name in ("log", "base.tar"):
        (tmp_path / name).write_text("")
    leave_log(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["log"]
    leave_log(tmp_path / "none")
