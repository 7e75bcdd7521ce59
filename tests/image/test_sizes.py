"""What the image is made of, counted."""

from pathlib import Path

from strongroom.image.sizes import Size, sizes


def test_files_are_counted_by_kind_and_links_not_at_all(tmp_path: Path) -> None:
    content = {
        "app/enclave/a.py": b"12",
        "app/strongroom/b.py": b"3",
        "app/numpy/c.py": b"4567",
        "app/numpy/d.so": b"\x7fELFxx",
        "app/botocore/e.json": b"{}",
        "usr/lib/python3.13/f.py": b"89",
        "usr/bin/python3.13": b"\x7fELF",
        "app/six.py": b"x",
    }
    for name, data in content.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
    (tmp_path / "usr/bin/python3").symlink_to("python3.13")
    assert sizes(tmp_path) == {
        "ours": Size(2, 3),
        "packages": Size(2, 5),
        "standard library": Size(1, 2),
        "native": Size(2, 10),
        "data": Size(1, 2),
    }
