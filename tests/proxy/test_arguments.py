from ipaddress import ip_network

import pytest

from proxy.arguments import Arguments, UsageError, parse
from proxy.egress import EgressLimits
from proxy.rules import AllowList, Pin, Rule
from strongroom.transport.addresses import VsockAddress

KMS = "kms.eu-west-1.amazonaws.com"
NEEDED = ["--listen", "vsock:any:7004", "--allow", f"{KMS}:443"]


def test_what_is_not_given_has_its_default() -> None:
    allow_list = AllowList((Rule(KMS, 443),))
    assert parse(NEEDED, "proxy") == Arguments(VsockAddress(0xFFFFFFFF, 7004), allow_list, EgressLimits(), None)


def test_every_argument_arrives() -> None:
    given = [
        *NEEDED,
        *("--allow", "sts.example:443=127.0.0.1:8443"),
        *("--allow-private", "10.0.7.0/24", "--allow-private", "fd12::/64"),
        *("--max-connections", "300", "--idle-timeout", "7.5", "--total-timeout", "90"),
        *("--metrics", "[::1]:9104", "--json"),
    ]
    arguments = parse(given, "proxy")
    assert arguments.allow_list.rules == (Rule(KMS, 443), Rule("sts.example", 443, Pin("127.0.0.1", 8443)))
    assert arguments.allow_list.private_networks == (ip_network("10.0.7.0/24"), ip_network("fd12::/64"))
    assert arguments.limits == EgressLimits(max_connections=300, idle_timeout_s=7.5, total_timeout_s=90)
    assert arguments.metrics == ("::1", 9104)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (["--allow", "127.0.0.1:443"], "expected a lower-case DNS name"),
        (["--allow", "a.example"], "expected HOST:PORT"),
        (["--allow", "a.example:443=localhost:1"], "expected ADDRESS:PORT"),
        (["--allow", f"{KMS}:443=127.0.0.1:1"], "expected each destination once"),
        (["--allow-private", "ten"], "'ten'"),
        (["--allow-private", "10.0.0.1/8"], "host bits"),
        (["--max-connections", "0"], "expected a number from 1 to 65536, got '0'"),
        (["--max-connections", "65537"], "expected a number from 1"),
        (["--max-connections", "-1"], "max-connections"),
        (["--max-connections", "٣"], "expected a number from 1"),
        (["--max-connections", "1e3"], "expected a number from 1"),
        (["--max-connections", "9" * 5000], "expected a number from 1"),
        (["--idle-timeout", "0"], "expected seconds"),
        (["--idle-timeout", "nan"], "expected seconds"),
        (["--total-timeout", "inf"], "expected seconds"),
        (["--total-timeout", "1e9"], "expected seconds"),
        (["--metrics", "0.0.0.0:9104"], "expected a loopback address"),
        (["--metrics", "10.0.0.1:9104"], "expected a loopback address"),
        (["--metrics", "localhost:9104"], "expected ADDRESS:PORT"),
        (["--metrics", "127.0.0.1"], "expected ADDRESS:PORT"),
        (["--metrics", "127.0.0.1:99999"], "expected a port"),
        (["--listen", "tcp:1"], "expected vsock:CID:PORT"),
        (["--max-con", "3"], "--max-con"),
        (["more"], "unrecognized arguments: more"),
        (["two\nlines\x1b[31m"], r"two\nlines\x1b[31m"),
    ],
)
def test_a_wrong_argument_is_named_in_one_line(wrong: list[str], says: str) -> None:
    with pytest.raises(UsageError) as raised:
        parse([*NEEDED, *wrong], "proxy")
    message = str(raised.value)
    assert says in message
    assert message.isprintable()


@pytest.mark.parametrize("given", [[], NEEDED[:2], NEEDED[2:]])
def test_where_to_listen_and_what_to_allow_must_be_said(given: list[str]) -> None:
    with pytest.raises(UsageError, match="required: --"):
        parse(given, "proxy")


def test_the_help_shows_examples_that_the_parser_takes(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(["--help"], "strongroom proxy")
    assert ended.value.code == 0
    text = capsys.readouterr().out.replace("\\\n", " ")
    examples = [line.split("  (")[0] for line in text.splitlines() if line.startswith("  strongroom proxy --listen")]
    assert len(examples) == 3
    for example in examples:
        parse(example.split()[2:], "strongroom proxy")
