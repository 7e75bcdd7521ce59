"""What a local build refuses before it runs anything, and what it says of its source."""

from pathlib import Path

import pytest

from strongroom.image import local
from strongroom.image.errors import InputRefused
from strongroom.image.folders import Folders
from strongroom.image.record import Package, Record

KERNEL = Package("linux-image-6.12-cloud-amd64", "6.12-1", "2" * 64, "k.deb")


def test_a_record_that_lacks_a_wheel_is_refused_before_anything_is_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(local, "source_of", lambda _checkout, say: say("source: told"))
    (tmp_path / "requirements").mkdir()
    (tmp_path / "requirements" / "enclave.txt").write_text(f"numpy==2.5 \\\n    --hash=sha256:{'1' * 64}\n")
    folders, said = Folders(tmp_path, tmp_path / "output"), list[str]()
    folders.output.mkdir()
    with pytest.raises(InputRefused, match=r"record of packages: expected the wheel of numpy 2\.5 .*, got none"):
        local.build_held(folders, Record((KERNEL,), ()), programs=None, say=said.append)
    assert said == ["source: told"]
    assert [path.name for path in folders.output.rglob("*")] == ["build"]
