"""deploy/prune-image.sh: of a checkout nothing reaches the image but our modules, whatever else lies in it."""

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


def test_what_else_lies_in_a_checkout_stays_out_and_so_do_its_modes(image: Path) -> None:
    for name in ("enclave/.env", "enclave/id.key", "enclave/models/m.onnx", "strongroom/protocol/k.pem"):
        put(image, name)
    (image / "app" / OURS[0]).chmod(0o4755)
    (image / "app" / OURS[2]).chmod(0o600)
    done = prune(image)
    assert (done.returncode, done.stderr) == (0, "")
    found = {path for path in (image / "app").rglob("*") if path.is_file()}
    assert {path.relative_to(image / "app").as_posix() for path in found} == set(OURS)
    assert {path.stat().st_mode & 0o7777 for path in found} == {0o644}
    assert not (image / "app" / "enclave" / "models").exists()


def test_a_symbolic_link_among_our_modules_is_refused(image: Path) -> None:
    (image / "app" / "enclave" / "link.py").symlink_to("/etc/passwd")
    done = prune(image)
    assert done.returncode == 1
    assert "expected no symbolic link, got app/enclave/link.py" in done.stderr
