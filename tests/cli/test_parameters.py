"""Options of the verifier that hold more than words."""

import click
import pytest

from strongroom.cli.parameters import hex_bytes, instant_ms, pinned_pcr


@pytest.mark.parametrize(
    ("text", "at_ms"),
    [
        ("2026-01-31T12:00:00Z", 1_769_860_800_000),
        ("2026-01-31t13:00:00+01:00", 1_769_860_800_000),
        ("2026-01-31 06:30:00-05:30", 1_769_860_800_000),
        ("2026-01-31T12:00:00.25z", 1_769_860_800_250),
        ("2026-01-31T12:00:00.000999999Z", 1_769_860_800_000),
        ("1769860800000", 1_769_860_800_000),
        ("0", 0),
        ("9999-12-31T23:59:59.999Z", 253_402_300_799_999),
        ("9999-12-31T23:59:59-23:59", 253_402_387_139_000),
    ],
)
def test_instants(text: str, at_ms: int) -> None:
    assert instant_ms(text) == at_ms


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "-1",
        "1e9",
        "2026-01-31",
        "2026-01-31T12:00:00",  # nobody knows where
        "20260131T120000Z",
        "2026-01-31T12:00Z",
        "2026-02-30T12:00:00Z",
        "2026-01-31T12:00:60Z",
        "2026-01-31T12:00:00+25:00",
        "2026-01-31T12:00:00Z ",
        "٢٠٢٦-01-31T12:00:00Z",
        "٢٠٢٦",
        "1" * 20,
    ],
)
def test_what_is_no_instant(text: str) -> None:
    with pytest.raises(click.BadParameter, match="2026-01-31T12:00:00Z"):
        instant_ms(text)


@pytest.mark.parametrize(("text", "value"), [("00", b"\0"), ("aBcD", b"\xab\xcd")])
def test_hex(text: str, value: bytes) -> None:
    assert hex_bytes(text) == value


@pytest.mark.parametrize("text", ["", "0", "0x00", "00 11", "zz", "00\n", "٠٠"])
def test_what_is_no_hex(text: str) -> None:
    with pytest.raises(click.BadParameter, match="hexadecimal"):
        hex_bytes(text)


def test_pinned_pcrs() -> None:
    assert pinned_pcr("0=00ff") == (0, b"\x00\xff")
    assert pinned_pcr("31=aa") == (31, b"\xaa")


@pytest.mark.parametrize("text", ["", "0", "=00", "00=00", "-1=00", "100=00", " 0=00", "PCR0=00", "0:00", "٣=00"])
def test_what_pins_no_pcr(text: str) -> None:
    with pytest.raises(click.BadParameter, match="N=HEX"):
        pinned_pcr(text)


def test_what_pins_a_pcr_to_no_bytes() -> None:
    with pytest.raises(click.BadParameter, match="hexadecimal"):
        pinned_pcr("0=")
