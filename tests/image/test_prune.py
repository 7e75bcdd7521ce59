"""deploy/prune-image.sh: no modes of whoever builds, and no links."""

import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "deploy" / "prune-image.sh"
OURS = ("attestation/cose.py", "enclave/kms/hybrid.cnf", "enclave/boot/x.py", "strongroom/protocol/y.py")


@pytest.fixture
def image(tmp_path: Path) -> Path:
    for name in ("usr/bin", "usr/share/doc", "usr/lib/python3.13", "app/botocore/data"):
        (tmp_path / name).mkdir(parents=True)
    for name in OURS:
        put(tmp_path, name)
    return tmp_path


def put(image: Path, name: str) -> None:
    (image / "app" / name).parent.mkdir(parents=True, exist_ok=True)
    (image / "app" / name).write_text("SECRET")


def prune(image: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(["sh", SCRIPT, image, "0"], capture_output=True, text=True, timeout=60, check=False)


def test_our_files_have_plain_modes(image: Path) -> None:
    (image / "app" / OURS[0]).chmod(0o4755)
    (image / "app" / OURS[2]).chmod(0o600)
    done = prune(image)
    assert (done.returncode, done.stderr) == (0, "")
    found = {path for path in (image / "app").rglob("*") if path.is_file()}
    assert {path.relative_to(image / "app").as_posix() for path in found} == set(OURS)
    assert {path.stat().st_mode & 0o7777 for path in found} == {0o644}


def test_a_symbolic_link_among_our_modules_is_refused(image: Path) -> None:
    (image / "app" / "enclave" / "link.py").symlink_to("/etc/passwd")
    done = prune(image)
    assert done.returncode == 1
    assert "expected no symbolic link, got app/enclave/link.py" in done.stderr
