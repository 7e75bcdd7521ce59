"""The policy file's JSON Schema: committed as printed, and of one mind with the loader."""

from __future__ import annotations

import json
import tomllib
from datetime import date, datetime
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from attestation.errors import PolicyError
from attestation.measurements import EMPTY_APPLICATION_PCR2
from attestation.policy_file import load_measurements
from attestation.policy_schema import policy_schema
from tests.attestation import forge

COMMITTED = Path(__file__).parents[2] / "docs" / "policy.schema.json"
ROLE = 'parent_role = "arn:aws:iam::111122223333:role/strongroom"\n'
EMPTY = EMPTY_APPLICATION_PCR2.hex()


def pcr(index: int | str, value: str = forge.pcr(0).hex()) -> str:
    return f'pcr{index} = "{value}"\n'


IMAGE = "[[measurement]]\n" + pcr(0) + pcr(1) + pcr(2)
SOUND = IMAGE + pcr(3)

GOOD = {
    "PCR3": SOUND,
    "a role": IMAGE + ROLE,
    "any role": IMAGE + "any_parent_role = true",
    "PCR3, and not any role": SOUND + "any_parent_role = false",
    "a role, and not any role": IMAGE + ROLE + "any_parent_role = false",
    "a name": SOUND + 'name = "release 1.4.0"',
    "an empty name": SOUND + 'name = ""',
    "every register": SOUND + "".join(pcr(index) for index in range(4, 32)),
    "upper case": SOUND + pcr(4, "AB" * 48),
    "a window": SOUND + "not_before = 2026-01-01T00:00:00Z\nnot_after = 2026-01-01T00:00:00.001+00:00",
    "a window, spelt otherwise": SOUND + "not_before = 2026-01-01 00:00:00z\nnot_after = 9999-12-31t23:59:59.999Z",
    "64 tables": SOUND * 64,
    "PCR4 of an empty application": SOUND + pcr(4, EMPTY),
}
BAD = {
    "nothing": "",
    "no table": "measurement = []",
    "no list": "measurement = 1",
    "a list of numbers": "measurement = [1]",
    "65 tables": SOUND * 65,
    "another table": SOUND + "[other]",
    "another key": SOUND + "extra = 1",
    "PCR32": SOUND + pcr(32),
    "PCR04": SOUND + pcr("04"),
    "PCR": SOUND + pcr(""),
    "a table of PCRs": SOUND + "[measurement.pcrs]\n",
    "no PCR0": SOUND.replace("pcr0", "pcr5"),
    "no PCR1": SOUND.replace("pcr1", "pcr5"),
    "no PCR2": SOUND.replace("pcr2", "pcr5"),
    "no role": IMAGE,
    "any role false": IMAGE + "any_parent_role = false",
    "any role 1": IMAGE + "any_parent_role = 1",
    "PCR3 and any role": SOUND + "any_parent_role = true",
    "PCR3 and a role": SOUND + ROLE,
    "a role and any role": IMAGE + ROLE + "any_parent_role = true",
    "a user's ARN": IMAGE + ROLE.replace(":role/", ":user/"),
    "95 digits": SOUND + pcr(4, "a" * 95),
    "97 digits": SOUND + pcr(4, "a" * 97),
    "no digit": SOUND + pcr(4, "g" * 96),
    "zeros": SOUND + pcr(4, "0" * 96),
    "PCR0 zero": SOUND.replace(pcr(0), pcr(0, "0" * 96)),
    "a number": SOUND + "pcr4 = 4",
    "an empty application": SOUND.replace(pcr(2), pcr(2, EMPTY)),
    "an empty application in capitals": SOUND.replace(pcr(2), pcr(2, EMPTY.upper())),
    "a name with a quote": SOUND + "name = 'a\"b'",
    "a long name": SOUND + f'name = "{"a" * 129}"',
    "a number as name": SOUND + "name = 1",
    "no offset": SOUND + "not_before = 2026-01-01T00:00:00",
    "a date": SOUND + "not_before = 2026-01-01",
    "a time": SOUND + "not_before = 00:00:00",
    "seconds": SOUND + "not_before = 1767225600",
    "before the epoch": SOUND + "not_before = 1969-12-31T23:59:59Z",
}
BEYOND_THE_SCHEMA = {
    "a quoted instant": SOUND + 'not_before = "2026-01-01T00:00:00Z"',
    "a window reversed": SOUND + "not_before = 2026-01-02T00:00:00Z\nnot_after = 2026-01-01T00:00:00Z",
}


def loads(text: str) -> bool:
    try:
        load_measurements(text.encode())
    except PolicyError:
        return False
    return True


def is_valid(text: str) -> bool:
    """As an editor sees it: date-times are text."""
    instance = json.loads(json.dumps(tomllib.loads(text), default=_as_text))
    return bool(Draft202012Validator(policy_schema()).is_valid(instance))


def _as_text(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime | date) else str(value)


@pytest.mark.parametrize("name", GOOD)
def test_both_accept(name: str) -> None:
    assert (loads(GOOD[name]), is_valid(GOOD[name])) == (True, True)


@pytest.mark.parametrize("name", BAD)
def test_both_refuse(name: str) -> None:
    assert (loads(BAD[name]), is_valid(BAD[name])) == (False, False)


@pytest.mark.parametrize("name", BEYOND_THE_SCHEMA)
def test_what_a_schema_cannot_say_the_loader_refuses(name: str) -> None:
    assert (loads(BEYOND_THE_SCHEMA[name]), is_valid(BEYOND_THE_SCHEMA[name])) == (False, True)


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(policy_schema())


def test_the_committed_schema_is_the_code_s() -> None:
    assert COMMITTED.read_text() == json.dumps(policy_schema(), indent=2) + "\n"
