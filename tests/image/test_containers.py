"""What is asked of mmdebstrap and buildah; both are played."""

from pathlib import Path

import pytest

from strongroom.image.containers import Builder
from strongroom.image.errors import InputRefused
from tests.image.fakes import Fakes

DIGEST = "sha256:" + "a" * 64


def builder(fakes: Fakes, configuration: str) -> Builder:
    fakes.add("mmdebstrap", 'for last; do :; done; tree=$(echo "$*" | tr " " "\\n" | grep base.tar) && : > "$tree"')
    fakes.add(
        "buildah",
        f"""case "$*" in
        *" from "*) echo container ;;
        *" images "*) echo "localhost/strongroom-base@{DIGEST}" ;;
        *" inspect "*) echo '{{"Docker": {{"config": {configuration}}}}}' ;;
        *" mount "*) echo /some/rootfs ;;
        esac""",
    )
    return Builder(fakes.programs(), fakes.folder / "packages", fakes.folder / "wheels")


def test_the_base_comes_from_the_recorded_packages_alone_and_with_its_digest(tmp_path: Path) -> None:
    fakes = Fakes(tmp_path)
    assert builder(fakes, "{}").make_base() == f"localhost/strongroom-base@{DIGEST}"
    (call,) = [call for call in fakes.calls() if call.startswith("mmdebstrap")]
    assert call.endswith(f"trixie {tmp_path}/work/base.tar deb [trusted=yes] copy://{tmp_path}/packages ./")
    assert "--mode=root --variant=apt --skip=chroot/mount,output/dev,output/mknod" in call
    assert not (tmp_path / "work" / "base.tar").exists()
    stores = f"--root={tmp_path}/work/storage --runroot={tmp_path}/work/run"
    assert all(stores in call for call in fakes.calls() if call.startswith("buildah"))


def test_a_dockerfile_is_built_without_a_daemon_and_sees_only_the_recorded_packages(tmp_path: Path) -> None:
    fakes = Fakes(tmp_path)
    configuration = '{"Cmd": ["/usr/bin/python3", "-m", "enclave"], "Env": ["A=1"]}'
    image = builder(fakes, configuration).build(tmp_path / "Dockerfile.enclave", tmp_path / "context", f"b@{DIGEST}")
    assert image.command == ("/usr/bin/python3", "-m", "enclave")
    assert image.environment == ("A=1",)
    assert image.rootfs == Path("/some/rootfs")
    (call,) = [call for call in fakes.calls() if " build " in call]
    for part in (
        "--isolation=chroot",
        "--timestamp=0",
        f"--build-arg=BASE=b@{DIGEST}",
        f"--volume={tmp_path}/packages:/packages:ro",
        f"--volume={tmp_path}/wheels/pip.conf:/etc/pip.conf:ro",
        f"--file={tmp_path}/Dockerfile.enclave",
    ):
        assert part in call.split()
    assert call.endswith(f" {tmp_path}/context")


@pytest.mark.parametrize("configuration", ["{}", '{"Cmd": null}', '{"Cmd": [], "Entrypoint": ["/x"]}'])
def test_an_image_without_a_command_is_refused(tmp_path: Path, configuration: str) -> None:
    with pytest.raises(InputRefused, match="expected a CMD, got none"):
        builder(Fakes(tmp_path), configuration).build(tmp_path / "Dockerfile", tmp_path, "b")
