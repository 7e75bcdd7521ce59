"""Key policies as text: one reading or none."""

import pytest

from attestation.errors import PolicyError
from attestation.key_policy.text import parse_key_policy


def test_a_policy_is_an_object() -> None:
    assert parse_key_policy('{"Statement": [{"Effect": "Deny"}]}') == {"Statement": [{"Effect": "Deny"}]}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "null",
        "{",
        '{"Statement": [], "Statement": []}',
        '{"Statement": [{"Effect": "Deny", "Effect": "Allow"}]}',
        "[" * 100_000,
        '{"x": "' + "y" * 33_000 + '"}',
        '{"x": "\ud800"}',
    ],
)
def test_a_text_with_two_readings_or_none_is_an_error(text: str) -> None:
    with pytest.raises(PolicyError):
        parse_key_policy(text)
