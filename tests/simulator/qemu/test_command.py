"""QEMU is told to emulate, to boot the image's own command line, and to ask our programs for both devices."""

from pathlib import Path

import pytest

from strongroom.simulator.qemu.boot_files import BootFiles
from strongroom.simulator.qemu.command import Hardware, ToolMissing, qemu_command, require_qemu

FILES = BootFiles(Path("/f/kernel"), Path("/f/ramdisk"), "console=ttyS0 panic=-1")


def test_the_command() -> None:
    command = qemu_command(FILES, Hardware(1536, 2), vsock="v.sock", nsm="n.sock")
    options = " ".join(command)
    assert options.startswith("setpriv --pdeathsig KILL -- qemu-system-x86_64 -nodefaults -no-user-config -no-reboot ")
    assert " -accel tcg,thread=single " in options
    assert "kvm" not in options
    assert " -m 1536M -object memory-backend-memfd,id=memory,share=on,size=1536M " in options
    assert " -kernel /f/kernel -initrd /f/ramdisk " in options
    assert "-chardev socket,id=vsock,path=v.sock -device vhost-user-vsock-device,chardev=vsock," in options
    assert "-chardev socket,id=nsm,path=n.sock -device vhost-user-rng,chardev=nsm," in options
    assert options.count("indirect_desc=off,event_idx=off") == 2


def test_what_the_image_measures_comes_first() -> None:
    command = qemu_command(FILES, Hardware(1536, 2), vsock="v.sock", nsm="n.sock")
    appended = command[command.index("-append") + 1]
    assert appended.startswith("console=ttyS0 panic=-1 oops=panic clearcpuid=cx16")


@pytest.mark.parametrize(
    ("there", "package"), [((), "qemu-system-x86"), (("qemu-system-x86_64",), "util-linux")], ids=["none", "qemu"]
)
def test_a_missing_tool_is_named_with_its_package(
    there: tuple[str, ...], package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in there:
        (tmp_path / name).touch(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolMissing, match=f"apt-get install {package}"):
        require_qemu()
