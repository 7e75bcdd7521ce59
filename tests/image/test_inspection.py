"""What may not be in a built tree is found there, whatever the Dockerfile says (review R16)."""

from pathlib import Path

import pytest

from strongroom.image.errors import InputRefused
from strongroom.image.inspection import require_clean

CLEAN = (
    "usr/bin/python3.13",
    "usr/lib/python3.13/client.py",
    "app/enclave/kms/client.py",
    "app/numpy/testing/tests.py",
    "app/onnxruntime/capi/parent/x.py",
)


@pytest.fixture
def rootfs(tmp_path: Path) -> Path:
    for name in CLEAN:
        put(tmp_path, name)
    require_clean(tmp_path)
    return tmp_path


def put(root: Path, name: str, content: bytes = b"") -> None:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_bytes(content)


@pytest.mark.parametrize(
    "name",
    [
        "usr/bin/sh",
        "usr/bin/bash",
        "usr/sbin/busybox",
        "usr/bin/apt-get",
        "usr/bin/dpkg",
        "usr/bin/perl5.40",
        "usr/local/bin/pip3",
        "usr/bin/x86_64-linux-gnu-gcc-14",
        "app/bin/sh",
        "root/.bash_history",
        "app/enclave/x.pyc",
        "usr/lib/python3.13/__pycache__/x",
        "app/pip/x.py",
        "app/strongroom/simulator/nsm.py",
        "app/strongroom/client/x.py",
        "app/parent/x.py",
        "app/proxy/x.py",
        "app/tests/x.py",
    ],
)
def test_what_does_not_belong_there_is_named(rootfs: Path, name: str) -> None:
    put(rootfs, name)
    with pytest.raises(
        InputRefused, match="expected no shell, installer, remains, switch or file of ours but"
    ) as refused:
        require_clean(rootfs)
    assert any(part in str(refused.value) for part in (name, str(Path(name).parent)))


@pytest.mark.parametrize(
    "text",
    [
        b"from strongroom.simulator.nsm import NSM",
        b"if sys.argv[1:]:",
        b"import argparse",
        b"-----BEGIN PRIVATE KEY-----",
    ],
    ids=["simulator", "arguments", "parser", "key"],
)
def test_a_switch_in_our_code_is_named(rootfs: Path, text: bytes) -> None:
    put(rootfs, "app/enclave/boot/x.py", b"# a comment\n" + text)
    with pytest.raises(InputRefused, match=r"got app/enclave/boot/x\.py"):
        require_clean(rootfs)


@pytest.mark.parametrize("name", ["enclave/boot/nobody_has_committed.py", "strongroom/cli.py", "attestation/.env"])
def test_a_file_of_ours_that_is_not_on_the_list_is_named(rootfs: Path, name: str) -> None:
    put(rootfs, f"app/{name}")
    with pytest.raises(InputRefused, match=f"got app/{name}"):
        require_clean(rootfs)


def test_the_code_of_this_checkout_holds_no_switch(tmp_path: Path) -> None:
    import shutil

    from strongroom.image.measured import MEASURED

    root = Path(__file__).parents[2]
    for name in MEASURED:
        target = tmp_path / "app" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / name, target)
    require_clean(tmp_path)
