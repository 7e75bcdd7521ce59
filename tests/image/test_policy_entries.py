"""An entry of a policy file written anew: what was meant, nothing else, and every comment where it was."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attestation.errors import PolicyError
from attestation.measurements import ZERO, parent_role_pcr3
from attestation.policy_file import load_measurements
from strongroom.image.policy_entries import Entry, check, updated, write

ROLE = "arn:aws:iam::111122223333:role/strongroom-parent"
OTHER_ROLE = "arn:aws:iam::111122223333:role/another"


def value(digit: int) -> bytes:
    return bytes([16 * digit + digit]) * 48


def hexadecimal(digit: int) -> str:
    return f'"{value(digit).hex()}"'


NEW = {0: value(4), 1: value(5), 2: value(6)}
FILE = f"""# ours
[[measurement]] # N-1
name = "one"   # the old release
pcr0 = {hexadecimal(1)}
  pcr1 = {hexadecimal(2)} # kernel
pcr2 = {hexadecimal(3)}
pcr8 = {hexadecimal(8)}
parent_role = "{ROLE}"
pcr17 = {hexadecimal(7)}
not_after = 2026-06-30T00:00:00Z

# until June
[[measurement]]
pcr0 = {hexadecimal(1)}
pcr1 = {hexadecimal(1)}
pcr2 = {hexadecimal(1)}
any_parent_role = true
"""


def load(text: str) -> list[tuple[str, dict[int, bytes], bool]]:
    return [(each.name, dict(each.pcrs), each.any_parent_role) for each in load_measurements(text.encode())]


def test_the_first_entry_of_a_file() -> None:
    assert load(updated("", Entry("one", ROLE), NEW)) == [("one", {**NEW, 3: parent_role_pcr3(ROLE)}, False)]
    assert updated("# only words", Entry("one", ROLE), NEW).startswith("# only words\n")


def test_another_entry_is_added_behind_the_others() -> None:
    text = updated(FILE, Entry("two", any_parent_role=True), NEW)
    assert text.startswith(FILE)
    assert load(text) == [*load(FILE), ("two", NEW, True)]


def test_an_entry_of_that_name_keeps_what_is_not_the_image_s() -> None:
    text = updated(FILE, Entry("one"), {**NEW, 8: value(9)})
    expected = FILE
    for before, after in ((f"pcr0 = {hexadecimal(1)}\n  p", f"pcr0 = {hexadecimal(4)}\n  p"), (2, 5), (3, 6), (8, 9)):
        old, new = (each if isinstance(each, str) else hexadecimal(each) for each in (before, after))
        expected = expected.replace(old, new, 1)
    assert text == expected
    first, second = load_measurements(text.encode())
    assert first.pcrs == {**NEW, 8: value(9), 3: parent_role_pcr3(ROLE), 17: value(7)}
    assert first.not_after_ms == load_measurements(FILE.encode())[0].not_after_ms
    assert second == load_measurements(FILE.encode())[1]


def test_an_image_that_is_no_longer_signed_loses_its_signer() -> None:
    text = updated(FILE, Entry("one"), NEW)
    assert "pcr8" not in text
    assert load(text)[0][1] == {**NEW, 3: parent_role_pcr3(ROLE), 17: value(7)}


def test_an_image_that_is_now_signed_gains_one() -> None:
    unsigned = updated(FILE, Entry("one"), NEW)
    text = updated(unsigned, Entry("one"), {**NEW, 8: value(9)})
    assert load(text)[0][1][8] == value(9)
    assert "\n\n# until June\n[[measurement]]\n" in text


@pytest.mark.parametrize("role", ['parent_role = "' + ROLE + '"', f"pcr3 = {hexadecimal(3)}", "any_parent_role = true"])
def test_a_role_replaces_whatever_was_said_of_the_parent(role: str) -> None:
    file = FILE.replace(f'parent_role = "{ROLE}"', role)
    assert load(updated(file, Entry("one", OTHER_ROLE), NEW))[0][1][3] == parent_role_pcr3(OTHER_ROLE)
    name, pcrs, any_parent_role = load(updated(file, Entry("one", any_parent_role=True), NEW))[0]
    assert (name, 3 in pcrs, any_parent_role) == ("one", False, True)


def test_the_same_again_changes_nothing() -> None:
    once = updated(FILE, Entry("two", ROLE), NEW)
    assert updated(once, Entry("two", ROLE), NEW).count("[[measurement]]") == 3
    assert updated(updated(FILE, Entry("one"), NEW), Entry("one"), NEW) == updated(FILE, Entry("one"), NEW)


def test_line_ends_of_another_system() -> None:
    text = updated(FILE.replace("\n", "\r\n"), Entry("one"), NEW)
    assert text.replace("\r\n", "\n") == updated(FILE, Entry("one"), NEW)


def test_a_file_without_a_last_line_end() -> None:
    assert load(updated(FILE.rstrip(), Entry("two", ROLE), NEW))[-1][0] == "two"


ONE = hexadecimal(1)
INLINE = f"measurement = [{{pcr0 = {ONE}, pcr1 = {ONE}, pcr2 = {ONE}, any_parent_role = true}}]\n"


@pytest.mark.parametrize(
    ("text", "entry", "words"),
    [
        pytest.param("what", Entry("one", ROLE), "TOML", id="no TOML"),
        pytest.param(FILE + 'x = "y"\n', Entry("one"), "unknown field", id="unknown key"),
        pytest.param(FILE.replace("pcr0", "pcr99", 1), Entry("one"), "measurement 1", id="unknown register"),
        pytest.param(FILE.replace(hexadecimal(2), '"00"'), Entry("two", ROLE), "96 hexadecimal", id="short digest"),
        pytest.param(FILE, Entry("two"), "expected the parent's role", id="no role"),
        pytest.param(FILE, Entry("two", "parent"), "an IAM role's ARN", id="no ARN"),
        pytest.param(FILE, Entry("!", ROLE), "expected a name", id="no name"),
        pytest.param(INLINE, Entry("one", ROLE), "TOML", id="inline tables"),
        pytest.param(
            FILE.replace("[measurement]", '["measurement"]', 1), Entry("two", ROLE), "TOML", id="quoted table"
        ),
        pytest.param(
            FILE + FILE.replace("one", "two").replace("[m", '["m').replace("t]", 't"]'),
            Entry("two"),
            "TOML",
            id="a second that is quoted",
        ),
        pytest.param("\ufeff" + FILE, Entry("two"), "TOML", id="byte order mark"),
        pytest.param(FILE.replace("pcr0", '"pcr0"', 1), Entry("one"), "TOML in another form", id="quoted key"),
        pytest.param(FILE.replace(ONE, f'""{ONE}""', 1), Entry("one"), "TOML", id="long string"),
        pytest.param(FILE + FILE.replace("# ours", ""), Entry("one"), "at most one measurement named one", id="twice"),
        pytest.param(updated("", Entry("x", ROLE), NEW) * 64, Entry("one", ROLE), "64", id="65 tables"),
        pytest.param("#" * (256 * 1024), Entry("one", ROLE), "at most 262144 bytes", id="long"),
    ],
)
def test_refused(text: str, entry: Entry, words: str, tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    path.write_text(text)
    with pytest.raises(PolicyError, match=words):
        write(path, entry, NEW)
    with pytest.raises(PolicyError, match=words):
        check(path, entry)
    assert [each.read_text() for each in tmp_path.iterdir()] == [text]


def test_what_measures_nothing_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(PolicyError):
        updated(FILE, Entry("one"), {**NEW, 0: ZERO})


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    path.write_bytes(b"\xff")
    with pytest.raises(PolicyError, match="UTF-8"):
        check(path, Entry("one", ROLE))


def test_a_file_that_is_not_there_yet(tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    check(path, Entry("one", ROLE))
    assert not path.exists()
    write(path, Entry("one", ROLE), NEW)
    assert load(path.read_text())[0][0] == "one"


def test_two_that_write_at_once_lose_nothing(tmp_path: Path) -> None:
    path, names = tmp_path / "policy.toml", [f"release {number}" for number in range(8)]
    with ThreadPoolExecutor(len(names)) as pool:
        list(pool.map(lambda name: write(path, Entry(name, ROLE), NEW), names))
    assert sorted(each[0] for each in load(path.read_text())) == names


COMMENTS = st.lists(st.sampled_from(["", "# a comment", "  # [[measurement]]", "\t", '# "pcr0" = 1']), max_size=3)


@given(st.lists(COMMENTS, min_size=9, max_size=9), st.integers(0, 3))
def test_comments_stay_wherever_they_are(comments: list[list[str]], target: int) -> None:
    names = ["a", "b", "c", "d"]
    lines: list[str] = []
    for name in names:
        keys = ["[[measurement]]", f'name = "{name}"', *(f"pcr{n} = {hexadecimal(n + 1)}" for n in range(3))]
        keys.append(f'parent_role = "{ROLE}"')
        for number, line in enumerate(keys):
            lines += [*comments[(number + len(lines)) % len(comments)], line]
    text = "\n".join(lines) + "\n"
    result = updated(text, Entry(names[target], OTHER_ROLE), {**NEW, 8: value(8)})
    commented = [
        [line for line in each.split("\n") if not line.strip() or line.strip()[0] == "#"] for each in (text, result)
    ]
    assert commented[0] == commented[1]
    loaded = load(result)
    expected = (names[target], {**NEW, 3: parent_role_pcr3(OTHER_ROLE), 8: value(8)}, False)
    assert loaded == [*load(text)[:target], expected, *load(text)[target + 1 :]]
