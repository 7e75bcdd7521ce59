"""Reading one setting's text; each reader raises ValueError saying what was expected."""

from strongroom.transport.addresses import Address, parse_address

MAX_ENCLAVES = 16
MAX_WEIGHT_STREAMS = 16


def addresses(text: str) -> tuple[Address, ...]:
    """One to MAX_ENCLAVES addresses between commas, none of them twice."""
    parts = text.split(",")
    if len(parts) > MAX_ENCLAVES:
        raise ValueError(f"expected at most {MAX_ENCLAVES} addresses, got {len(parts)}")
    read = tuple(parse_address(part.strip()) for part in parts)
    if len(set(read)) != len(read):
        raise ValueError("expected each address once")
    return read


def positive(text: str, kind: type[int] | type[float]) -> int | float:
    """A number above 0 and below 2^40."""
    try:
        number = kind(text)
    except ValueError:
        number = kind(0)
    if not 0 < number < 1 << 40:
        raise ValueError(f"expected a positive {kind.__name__}, got {text!r}")
    return number


def switch(text: str) -> bool:
    """0 or 1."""
    if text not in ("0", "1"):
        raise ValueError(f"expected 0 or 1, got {text!r}")
    return text == "1"


def port(text: str) -> int:
    """0 to 65535."""
    if not (text.isascii() and text.isdigit() and int(text) < 1 << 16):
        raise ValueError(f"expected a port from 0 to 65535, got {text!r}")
    return int(text)


def weight_streams(text: str) -> int:
    """1 to MAX_WEIGHT_STREAMS."""
    if not (text.isascii() and text.isdigit() and len(text) < 3 and 1 <= int(text) <= MAX_WEIGHT_STREAMS):
        raise ValueError(f"expected a number from 1 to {MAX_WEIGHT_STREAMS}, got {text!r}")
    return int(text)
