"""allocator.yaml, as the allocator service reads it."""

import stat
from pathlib import Path

import pytest

from parent.lifecycle.allocator import Allocator
from parent.lifecycle.errors import AllocatorUnusable
from parent.lifecycle.plan import Size

SHIPPED = "---\n# Enclave configuration file.\n#\nmemory_mib: 512\n#\ncpu_count: 2\n# cpu_pool: 2,3,6-9\n"
TWO_GIB = Size(1024, 2, 2, ())


def test_what_is_needed_is_raised_and_everything_else_stays() -> None:
    raised = Allocator.parse(SHIPPED).raised_to(TWO_GIB)
    assert raised.text == SHIPPED.replace(": 512", ": 2048").replace("count: 2", "count: 4")
    assert Allocator.parse(raised.text) == raised
    assert raised.suffices(TWO_GIB)
    assert not Allocator.parse(SHIPPED).suffices(TWO_GIB)


def test_nothing_is_lowered() -> None:
    more = Allocator.parse("---\nmemory_mib: 8192\ncpu_count: 8\n")
    assert more.suffices(TWO_GIB)
    assert more.raised_to(TWO_GIB) == more


def test_a_pool_is_counted_and_left_alone() -> None:
    pool = Allocator.parse('---\nmemory_mib: "512"\ncpu_pool: 2,3,6-9\n')
    assert (pool.cpus, pool.pool) == (6, True)
    assert pool.raised_to(TWO_GIB).text == "---\nmemory_mib: 2048\ncpu_pool: 2,3,6-9\n"
    with pytest.raises(AllocatorUnusable, match="expected a cpu_pool of 8 CPUs, got 6"):
        pool.raised_to(Size(1024, 4, 2, ()))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "memory_mib: 512\ncpu_count: 2\n",
        "---\nmemory_mib: 512\n",
        "---\ncpu_count: 2\n",
        "---\nmemory_mib: 512\ncpu_count: 2\ncpu_pool: 2,3\n",
        "---\nmemory_mib: 512\nmemory_mib: 512\ncpu_count: 2\n",
        "---\nmemory_mib: 512\n\ncpu_count: 2\n",
        "---\nmemory_mib: 512\ncpu_count: two\n",
        "---\nmemory_mib: 1234567890\ncpu_count: 2\n",
        "---\nmemory_mib: 512\ncpu_pool: 9-6\n",
        "---\nmemory_mib: 512\ncpu_pool: 1,,2\n",
        "---\nmemory_mib: 512\ncpu_count: 2\nother: 1\n",
        "---\nmemory_mib: 512\ncpu_count: 2",
        "---\r\nmemory_mib: 512\r\ncpu_count: 2\r\n",
        "---\nmemory_mib: 512\r\ncpu_count: 2\n",
        "---\n# a\u2028memory_mib: 512\ncpu_count: 2\n",
        "---\nmemory_mib: 512\ncpu_pool: " + ",".join(["0-9999"] * 1000) + "\n",
    ],
)
def test_what_the_service_would_not_take(text: str) -> None:
    with pytest.raises(AllocatorUnusable):
        Allocator.parse(text)


def test_a_missing_file_reserves_nothing_and_is_made(tmp_path: Path) -> None:
    path = tmp_path / "nitro_enclaves" / "allocator.yaml"
    present = Allocator.read(path)
    raised = present.raised_to(TWO_GIB)
    assert (present.memory_mib, present.cpus) == (0, 0)
    raised.write(path)
    assert Allocator.read(path) == raised
    assert stat.S_IMODE(path.stat().st_mode) & 0o044
    assert [each.name for each in path.parent.iterdir()] == ["allocator.yaml"]


def test_the_difference_is_shown_as_diff_does(tmp_path: Path) -> None:
    present = Allocator.parse(SHIPPED)
    lines = present.difference(present.raised_to(TWO_GIB), tmp_path / "a").splitlines()
    assert [line for line in lines if line[0] in "+-" and line[1] not in "+-"] == [
        "-memory_mib: 512",
        "+memory_mib: 2048",
        "-cpu_count: 2",
        "+cpu_count: 4",
    ]


@pytest.mark.parametrize("data", [b"\xff\xfe", b"---\n" + b"#" * 70_000], ids=["bytes", "long"])
def test_a_file_that_is_none(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(data)
    with pytest.raises(AllocatorUnusable):
        Allocator.read(tmp_path / "a")


def test_a_link_is_followed(tmp_path: Path) -> None:
    kept, path = tmp_path / "kept", tmp_path / "allocator.yaml"
    kept.write_text(SHIPPED)
    path.symlink_to(kept)
    Allocator.read(path).raised_to(TWO_GIB).write(path)
    assert path.is_symlink()
    assert Allocator.read(kept).suffices(TWO_GIB)
