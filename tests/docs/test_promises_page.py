"""docs/promises.md and docs/threat-model.md: every test that they name is there."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NAMED = re.compile(r"tests/[\w/.-]+(?:::\w+)?")


def named(page: str) -> list[str]:
    return sorted(set(NAMED.findall((ROOT / "docs" / page).read_text())))


def functions(file: Path) -> set[str]:
    tree = ast.walk(ast.parse(file.read_text()))
    return {node.name for node in tree if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


@pytest.mark.parametrize("page", ["promises.md", "threat-model.md"])
def test_every_test_that_a_page_names_is_there(page: str) -> None:
    tests = named(page)
    assert len(tests) > 10
    for test in tests:
        path, _, function = test.partition("::")
        assert (ROOT / path).exists(), path
        assert not function or function in functions(ROOT / path), test


def test_each_promise_names_a_test() -> None:
    rows = [line for line in (ROOT / "docs" / "promises.md").read_text().splitlines() if line.startswith("|")]
    assert len(rows) > 10
    for row in rows[2:]:
        assert NAMED.search(row), row
