"""A console is the guest's: what is quoted of it is short, and one line stays one line."""

from pathlib import Path

import pytest

from strongroom.simulator.console import last_lines


@pytest.fixture
def console(tmp_path: Path) -> Path:
    return tmp_path / "console.log"


def test_without_a_console_nothing_is_quoted(console: Path) -> None:
    assert last_lines(console) == []


def test_the_last_lines_that_say_something(console: Path) -> None:
    console.write_text("\r\n".join(f"line {number}\r\n  " for number in range(20)))
    assert last_lines(console) == [f"line {number}" for number in range(12, 20)]


def test_a_panic_is_quoted_before_its_stack(console: Path) -> None:
    stack = [f"frame {number}" for number in range(30)]
    console.write_text("\n".join(["begin", "[ 0.5] Kernel panic - not syncing: no memory", *stack]))
    assert last_lines(console) == ["[ 0.5] Kernel panic - not syncing: no memory", *stack[-8:]]


def test_a_console_does_not_command_a_terminal(console: Path) -> None:
    console.write_bytes(b"\x1b[2Jcleared\x07\xff")
    assert last_lines(console) == ["[2Jcleared \N{REPLACEMENT CHARACTER}"]


def test_a_flood_is_quoted_as_far_as_it_is_of_use(console: Path) -> None:
    console.write_bytes(b"x" * (64 << 20) + b"\n" + b"y" * 5000)
    assert last_lines(console) == ["x" * 200, "y" * 200]
