"""The commands of docs/operations.md about images run, in the order in which files come to be."""

import subprocess
import sys
import tomllib
from pathlib import Path

from tests.docs.test_examples import ROOT, commands
from tests.image.signers import write_pair


def test_the_commands_about_images_run(tmp_path: Path) -> None:
    shown = {words[2]: words for words in commands(ROOT / "docs" / "operations.md") if words[1] == "eif"}
    write_pair(tmp_path)
    for name in ("bzImage", "boot.cpio", "application.cpio"):
        (tmp_path / name).write_text(name)
    done = {}
    for verb in ("build", "sign", "describe", "measure"):
        command = [sys.executable, "-m", *shown.pop(verb)]
        done[verb] = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done[verb].returncode == 0, done[verb].stderr
    assert shown == {}
    assert "holds" in done["describe"].stdout
    [entry] = tomllib.loads(done["measure"].stdout)["measurement"]
    assert entry["name"] == "release 0.1.0"
    assert entry["pcr8"] in done["sign"].stdout
