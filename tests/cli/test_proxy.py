"""`strongroom proxy` is `python -m proxy`: the same arguments, help, events and exit codes."""

import json
import signal
import subprocess
import sys
from pathlib import Path

from tests.cli.running import failed, strongroom

NEEDED = "--allow=kms.eu-west-1.amazonaws.com:443"


def test_it_serves_until_it_is_told_to_end(tmp_path: Path) -> None:
    address = f"unix:{tmp_path / 'egress'}"
    command = [sys.executable, "-m", "strongroom", "proxy", f"--listen={address}", NEEDED, "--max-connections", "3"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        announced = json.loads(process.stdout.readline())
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=10)
    assert announced == {"event": "listening", "address": address, "max_connections": 3, "metrics_port": None}
    assert json.loads(out)["event"] == "egress"
    assert (process.returncode, err) == (0, b"")


def test_a_wrong_argument_is_one_line_and_2() -> None:
    error = failed(strongroom("proxy", "--listen", "tcp:1", NEEDED))
    assert "expected vsock:CID:PORT" in error
    assert "strongroom proxy --help" in error


def test_with_json_it_is_json_too() -> None:
    done = strongroom("proxy", "--json")
    failed(done)
    assert json.loads(done.stdout)["error"]["code"] == "usage"


def test_its_help_is_the_proxys_own() -> None:
    done = strongroom("proxy", "--help")
    assert (done.returncode, done.stderr) == (0, b"")
    own = subprocess.run([sys.executable, "-m", "proxy", "--help"], capture_output=True, check=True)
    assert b"--allow-private CIDR" in done.stdout
    assert done.stdout.split(b"options:")[1].split(b"Examples:")[0] in own.stdout


def test_all_words_reach_the_proxy_in_their_order() -> None:
    assert "unrecognized arguments: --two more" in failed(
        strongroom("proxy", "--listen=unix:x", NEEDED, "--two", "more")
    )
