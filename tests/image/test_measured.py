"""Dockerfile.enclave's copy of our files: the listed, whatever else lies in a checkout. The step itself is run."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from strongroom.image.measured import MEASURED

ROOT = Path(__file__).parents[2]
LIST = "strongroom/image/measured.txt"


@pytest.fixture
def ours(tmp_path: Path) -> Path:
    """What the build stage has of a checkout: all of it, and more."""
    folder = tmp_path / "ours"
    for name in (*MEASURED, LIST):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, folder / name)
    return folder


def copied(ours: Path) -> "subprocess.CompletedProcess[str]":
    """Run the Dockerfile's own words, with its folders below the test's."""
    text = (ROOT / "Dockerfile.enclave").read_text().replace("\\\n", " ")
    [step] = re.findall(r"^RUN (cd /ours .*)$", text, re.MULTILINE)
    app = ours.with_name("app")
    app.mkdir()
    step = step.replace("/ours", str(ours)).replace("/image/app", str(app))
    return subprocess.run(["sh", "-c", step], capture_output=True, text=True, timeout=60, check=False)


def test_just_what_is_listed_reaches_the_image(ours: Path) -> None:
    for name in ("enclave/nobody_has_committed.py", "enclave/.env", "strongroom/protocol/k.pem", "enclave/py.typed"):
        (ours / name).write_text("SECRET")
    done = copied(ours)
    assert (done.returncode, done.stderr) == (0, "")
    app = ours.with_name("app")
    found = [path.relative_to(app).as_posix() for path in app.rglob("*") if not path.is_dir()]
    assert sorted(found) == list(MEASURED)


def test_a_listed_file_that_is_missing_ends_the_build(ours: Path) -> None:
    (ours / MEASURED[-1]).unlink()
    done = copied(ours)
    assert done.returncode != 0
    assert MEASURED[-1] in done.stderr


def test_a_link_stays_one_so_that_it_is_seen(ours: Path) -> None:
    (ours / MEASURED[-1]).unlink()
    (ours / MEASURED[-1]).symlink_to("/etc/passwd")
    assert copied(ours).returncode == 0
    assert (ours.with_name("app") / MEASURED[-1]).is_symlink()
